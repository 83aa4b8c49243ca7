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
 * @returns {{main: Array<{name: string, value: string, definition: string}>, more: Array}}
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
  const text = inWords(value, SHARES.includes(key) ? percent : number);
  return { name: names[key] ?? humanised(key), value: unit ? `${text}\u00a0${unit}` : text, definition: definitions[key] ?? "" };
}

function inWords(value, numeral) {
  if (typeof value === "number") return numeral(value);
  if (Array.isArray(value)) return value.map((one) => inWords(one, numeral)).join(", ") || TEXT.lesion.none;
  if (typeof value !== "object") return String(value);
  const parts = Object.entries(value).filter(([, share]) => !(share < LEAST_SHARE));
  return parts.map(([name, share]) => `${name} ${inWords(share, numeral)}`).join(", ") || TEXT.lesion.none;
}
