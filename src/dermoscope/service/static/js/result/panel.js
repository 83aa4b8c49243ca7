// The right side of the page: everything said about the image in view.

import { isAnswered } from "../answer.js";
import { el, fill } from "../dom.js";
import { icon } from "../icons.js";
import { remove, retry } from "../queue.js";
import { loadDetails } from "../session.js";
import { currentItem, store } from "../state.js";
import { TEXT } from "../strings.js";
import { barsCard } from "./bars.js";
import { detailsCard } from "./details.js";
import { filesCard } from "./files.js";
import { keepCard } from "./keep.js";
import { lesionCard } from "./lesion.js";
import { notices } from "./notices.js";
import { similarCard } from "./similar.js";
import { verdictCard } from "./verdict.js";

// Each slot is drawn anew only when what it shows has changed, so that nobody loses the field they type in.
const ANSWERS = [
  [(item) => verdictCard(item), (item, state) => [item.analysis, state.models]],
  [(item) => notices(item), (item) => [item.analysis, item.segmentation]],
  [barsWhereAnswered, (item) => [item.analysis]],
];
const WORK = [
  [(item) => lesionCard(item), (item) => [item.analysis, item.segmentation, item.measures, item.measuring]],
  [similarWhereSkin, (item) => [item.analysis, item.similar]],
  [(item) => keepCard(item), (item, state) => [item.case, state.health]],
  [(item) => filesCard(item), (item, state) => [item, state.items.length]],
  [(item) => detailsCard(item), (item, state) => [item.analysis, state.models, state.health]],
];

export function resultPanel() {
  const answers = el("div.column", {}, ANSWERS.map((slot) => slotView(slot)));
  const work = el("div.column", {}, WORK.map((slot) => slotView(slot)));
  const waiting = el("div.column.alone");
  const attributes = { id: "result", "aria-label": TEXT.verdict.title, tabindex: "-1" };
  const node = el("section.panel", attributes, waiting, answers, work);
  store.watch(
    (state) => [state.currentId, currentItem(state)?.status, currentItem(state)?.error, state.online, state.busyUntil],
    (state) => {
      const item = currentItem(state);
      const done = item?.status === "done";
      answers.hidden = work.hidden = !done;
      waiting.hidden = done;
      if (!done) fill(waiting, item && (item.status === "failed" ? failedCard(item) : skeleton(item)));
      if (done) loadDetails(item.id);
    },
  );
  return node;
}

function slotView([draw, depends]) {
  const node = el("div.slot");
  store.watch(
    (state) => {
      const item = currentItem(state);
      return item?.status === "done" ? [item.id, ...depends(item, state)] : [null];
    },
    (state) => {
      const item = currentItem(state);
      fill(node, item?.status === "done" ? draw(item) : null);
    },
  );
  return node;
}

// Bricks resemble no lesion, however near their features are.
function similarWhereSkin(item) {
  return item.analysis.gate && !item.analysis.gate.is_skin ? null : similarCard(item);
}

function barsWhereAnswered(item) {
  return isAnswered(item.analysis) ? barsCard(item) : null;
}

function skeleton(item) {
  const waiting = store.get().busyUntil > Date.now() ? TEXT.errors.busy : TEXT.queue.waiting;
  const text = item.status === "sending" ? TEXT.queue.sending : waiting;
  const lines = [1, 2, 3, 4].map(() => el("span.line"));
  return [
    el("section.card.skeleton", {}, el("p.quiet", {}, text), el("span.line.large"), lines),
    el("section.card.skeleton", { "aria-hidden": "true" }, lines.map((line) => line.cloneNode())),
  ];
}

function failedCard(item) {
  return el(
    "section.card.verdict.failed",
    { id: "verdict", "aria-labelledby": "verdict-title" },
    el("h2", { id: "verdict-title" }, TEXT.errors.title),
    el("p.headline", {}, icon("warning"), el("span.words", {}, item.error)),
    el(
      "div.actions",
      {},
      !item.final && action("primary", "redo", TEXT.errors.retry, () => retry(item.id)),
      action("secondary", "trash", TEXT.errors.remove, () => remove(item.id)),
    ),
  );
}

function action(look, name, text, click) {
  return el(`button.${look}`, { type: "button", on: { click } }, icon(name), text);
}
