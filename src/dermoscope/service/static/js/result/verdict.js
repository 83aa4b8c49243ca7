// The answer: the risk with what it means in words, or why there is none.

import { isAnswered, isFlaggedWithoutAnswer } from "../answer.js";
import { el, setVariable } from "../dom.js";
import { percent, sentence } from "../format.js";
import { icon } from "../icons.js";
import { store } from "../state.js";
import { TEXT } from "../strings.js";
import { facts } from "./card.js";

/** The first card of the result. */
export function verdictCard(item) {
  const { analysis } = item;
  return isAnswered(analysis) ? riskCard(analysis) : withheldCard(analysis);
}

function riskCard({ malignancy, p_melanoma: melanoma }) {
  const { probability, threshold, flagged, definition, operating_point: meaning } = malignancy;
  const words = TEXT.verdict;
  const known = words.definitions[definition] ?? "";
  return el(
    `section.card.verdict${flagged ? ".flagged" : ""}`,
    { id: "verdict", "aria-labelledby": "verdict-title" },
    el("h2", { id: "verdict-title" }, words.title),
    el(
      "p.headline",
      {},
      el("span.number", {}, percent(probability)),
      el("span.badge", {}, icon(flagged ? "warning" : "minus"), flagged ? words.flagged : words.below),
    ),
    scale(probability, threshold),
    el("p", {}, words.point(percent(threshold), meaning)),
    el("p", {}, frequency(probability)),
    facts([[words.melanoma, percent(melanoma), words.melanomaHint]]),
    el("p.fine", {}, el("b", {}, `${words.definition(definition)}.`), known && ` ${known}`),
    el("p.fine", {}, flagged ? words.high : words.low, " ", words.whole),
  );
}

function scale(probability, threshold) {
  const label = TEXT.verdict.scale(percent(probability), percent(threshold));
  const rail = el("div.scale", { role: "img", "aria-label": label }, el("span.fill"), el("span.mark"));
  setVariable(rail, "--value", probability);
  setVariable(rail, "--threshold", threshold);
  return rail;
}

function frequency(probability) {
  const share = store.get().models.find((model) => model.in_use)?.malignant_share;
  const base = share ? percent(share) : "";
  const n = Math.round(probability * 100);
  return n < 1 ? TEXT.verdict.frequencyRare(base) : TEXT.verdict.frequency(n, base);
}

function withheldCard(analysis) {
  const { gate, abstain_reason: reason, quality } = analysis;
  const flagged = isFlaggedWithoutAnswer(analysis);
  const words = TEXT.withheld;
  const notSkin = gate && !gate.is_skin;
  const frame = !notSkin && quality.includes("mostly frame");
  const text = notSkin
    ? words.notSkin(percent(gate.p_skin), percent(gate.threshold))
    : frame ? words.mostlyFrame : words.other(reason);
  return el(
    `section.card.verdict.withheld${flagged ? ".flagged" : ""}`,
    { id: "verdict", "aria-labelledby": "verdict-title" },
    el("h2", { id: "verdict-title" }, words.title),
    el("p.headline", {}, icon("info"), el("span.words", {}, notSkin ? words.notSkinTitle : sentence(reason))),
    el("p", {}, text),
    flagged && el("p.alarm", {}, icon("warning"), words.flagged),
    notSkin && el("p", {}, words.notSkinAdvice),
    el("p.fine", {}, words.numbers),
  );
}
