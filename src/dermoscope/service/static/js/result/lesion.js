// Where the lesion is and what can be measured on it.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { maskOf } from "../state.js";
import { TEXT } from "../strings.js";
import { card, facts } from "./card.js";
import { measureRows } from "./measures.js";

/** The card of the outline; none where there is no lesion and nothing to measure. */
export function lesionCard(item) {
  const mask = maskOf(item);
  if (!mask) return null;
  const words = TEXT.lesion;
  return card(
    "lesion",
    words.title,
    facts([
      [words.confidence, mask.confidence === null ? null : percent(mask.confidence), words.confidenceHint],
      [words.area, percent(mask.area_fraction)],
      [words.prompt, outlinedBy(mask)],
    ]),
    measures(item),
  );
}

function measures(item) {
  if (item.measuring) return el("p.quiet", {}, TEXT.lesion.measuresLoading);
  const { measures: all } = item;
  return all && [el("h3", {}, TEXT.lesion.measures), measureTable(all), furtherMeasures(all)];
}

function furtherMeasures(all) {
  const { more } = measureRows(all);
  return more.length > 0 && el("details", {}, el("summary", {}, TEXT.lesion.measuresMore), table(more));
}

/** Who drew the outline, in words. */
export function outlinedBy({ prompt, is_corrected: corrected, prompts }) {
  const words = TEXT.lesion;
  if (!corrected) return words.promptAuto;
  if (prompt === "corrected") return words.promptBefore;
  return prompts.points.length || prompts.box ? words.promptClicks(prompts.points.length) : words.promptBrush;
}

/** The main measures as a table, for the result and for the report. */
export function measureTable(measures) {
  return [table(measureRows(measures).main), measures.cut_by_border && el("p.fine", {}, TEXT.lesion.cut)];
}

function table(rows) {
  return el("table.measures", {}, el("tbody", {}, rows.map(line)));
}

function line({ name, values, definition }) {
  const head = el("th", { scope: "row" }, name, definition && el("small", {}, definition));
  return el("tr", {}, head, el("td.numeric", {}, values.map((value) => el("span", {}, value))));
}
