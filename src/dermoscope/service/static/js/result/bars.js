// Probabilities of diagnosis and lesion group as bars, the most probable first.

import { remainingCodes } from "../answer.js";
import { el, setVariable } from "../dom.js";
import { percent } from "../format.js";
import { TEXT } from "../strings.js";
import { card } from "./card.js";

/** The card with both distributions. */
export function barsCard({ analysis }) {
  return card(
    "probabilities",
    TEXT.bars.diagnosis,
    bars(analysis.diagnosis, TEXT.bars.codes, TEXT.bars.diagnosis),
    remaining(analysis),
    el("h3", {}, TEXT.bars.group),
    bars(analysis.group, TEXT.bars.groups, TEXT.bars.group),
    el("p.fine", {}, TEXT.bars.equal),
  );
}

/** Which diagnoses remain possible, where they are several. */
export function remaining(analysis) {
  const codes = remainingCodes(analysis);
  if (!codes.length) return null;
  const words = TEXT.bars.remain;
  const names = codes.map((code) => TEXT.bars.codes[code]?.toLowerCase() ?? code).join(", ");
  return [
    el("p.remain", {}, el("b", {}, words.title), ` ${names}`),
    el("p.fine", {}, words.hint(percent(analysis.prediction_set.coverage))),
  ];
}

/** One distribution as a list of bars. */
export function bars(shares, names, label) {
  const rows = Object.entries(shares)
    .sort(([, one], [, other]) => other - one)
    .map(([key, share]) => row(names[key] ?? key, share));
  return el("ul.bars", { "aria-label": label }, rows);
}

function row(name, share) {
  const rail = setVariable(el("span.rail", { "aria-hidden": "true" }, el("span.fill")), "--value", share);
  return el("li", {}, el("span.name", {}, name), el("span.value", {}, percent(share)), rail);
}
