// The ABCD measures as rows of name, value and definition, whatever keys the server sends.

import { humanised, number, percent } from "../format.js";
import { TEXT } from "../strings.js";

const MAIN = ["asymmetry", "border_irregularity", "colours", "diameter_mm", "diameter_px"];
const SHARES = ["asymmetry", "asymmetry_axes", "colour_shares"];
const LEAST_SHARE = 0.01;
const UNITS = { px: "px", mm: "mm" };

/**
 * Rows of a table, those that matter most first.
 * @param {object} measures By name: a number, a text, a list, or numbers by name.
 * @returns {{main: Array<{name: string, values: string[], definition: string}>, more: Array}} Values with their units
 */
export function measureRows(measures) {
  const known = Object.entries(measures).filter(([key, value]) => value !== null && typeof value !== "boolean" && key);
  const at = (key) => known.filter(([name]) => name === key);
  return {
    main: MAIN.flatMap(at).map(row),
    more: known.filter(([key]) => !MAIN.includes(key)).map(row),
  };
}

function row([key, value]) {
  const { names, definitions } = TEXT.lesion;
  const unit = UNITS[key.split("_").at(-1)];
  const numeral = SHARES.includes(key) ? percent : (one) => (unit ? `${number(one)}\u00a0${unit}` : number(one));
  const values = parts(value).map((part) => inWords(part, numeral));
  return {
    name: names[key] ?? humanised(key),
    values: values.length ? values : [TEXT.lesion.none],
    definition: definitions[key] ?? "",
  };
}

// Numbers by name are shares here; what covers next to nothing is left out, and the largest comes first.
function parts(value) {
  if (Array.isArray(value)) return value;
  if (typeof value !== "object") return [value];
  const counted = Object.entries(value).filter(([, share]) => !(share < LEAST_SHARE));
  return counted.sort(([, one], [, other]) => other - one);
}

function inWords(part, numeral) {
  if (Array.isArray(part)) return part.map((one) => inWords(one, numeral)).join(" ");
  return typeof part === "number" ? numeral(part) : String(part);
}
