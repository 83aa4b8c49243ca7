// Kept cases that the model sees as most alike.

import { isAnswered } from "../answer.js";
import * as api from "../api.js";
import { el } from "../dom.js";
import { isHistoryOff } from "../failure.js";
import { number, percent } from "../format.js";
import { compareWith } from "../compare.js";
import { TEXT } from "../strings.js";
import { card } from "./card.js";

export function similarCard(item) {
  return card("similar", TEXT.similar.title, body(item));
}

function body({ similar }) {
  const words = TEXT.similar;
  if (similar === undefined) return el("p.quiet", {}, words.loading);
  if (similar instanceof Error) return el("p.quiet", {}, isHistoryOff(similar) ? words.off : words.failed);
  if (!similar.length) return el("p.quiet", {}, words.none);
  return [el("p.quiet", {}, words.lead), el("ul.neighbours", {}, similar.map(neighbour))];
}

function neighbour(one) {
  const name = TEXT.bars.codes[one.label] ?? one.label ?? TEXT.history.noLabel;
  const risk = isAnswered(one.analysis) ? percent(one.analysis.malignancy.probability) : null;
  const button = el(
    "button.neighbour",
    { type: "button", "aria-label": TEXT.similar.compare(name), on: { click: () => compareWith(one) } },
    el("img", { src: api.caseThumbnailUrl(one.id), alt: "", loading: "lazy" }),
    el("b", {}, name),
    el("small", {}, risk ? `${TEXT.history.risk(risk)} · ` : "", TEXT.similar.distance(number(one.distance))),
  );
  return el("li", {}, button);
}
