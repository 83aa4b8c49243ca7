// For those who want to know exactly: size, gate, model, time.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { store } from "../state.js";
import { TEXT } from "../strings.js";
import { facts } from "./card.js";

export function detailsCard({ analysis }) {
  const words = TEXT.details;
  const model = store.get().models.find(({ in_use: inUse }) => inUse);
  const time = Object.values(analysis.timings_ms).reduce((sum, ms) => sum + ms, 0);
  return el(
    "details.card",
    { id: "details" },
    el("summary", {}, words.title),
    facts([
      [words.size, words.sizeValue(analysis.width, analysis.height)],
      [words.skin, percent(analysis.gate?.p_skin)],
      [words.model, model && `${model.name} ${model.version}`],
      [words.fingerprint, analysis.bundle],
      [words.version, store.get().health?.version],
      [words.time, time ? words.timeValue(Math.round(time)) : null],
    ]),
  );
}
