// Two cases side by side, or the image in view beside a kept case.

import { isAnswered, isFlaggedWithoutAnswer } from "./answer.js";
import * as api from "./api.js";
import { el, fill } from "./dom.js";
import { drawing } from "./drawing.js";
import { moment, percent } from "./format.js";
import { icon } from "./icons.js";
import { currentItem, maskOf, store } from "./state.js";
import { TEXT } from "./strings.js";
import { complain } from "./toast.js";

/** Shows two kept cases; `from` is the view to go back to. */
export async function compareCases(cases, from) {
  store.set({ view: "compare", compared: [], comparedFrom: from });
  try {
    store.set({ compared: await Promise.all(cases.map(sideOf)) });
  } catch (error) {
    store.set({ view: from });
    complain(error);
  }
}

/** Shows the image in view beside a kept case. */
export async function compareWith(one) {
  const item = currentItem();
  const { case: kept, analysis, source } = item;
  const present = {
    title: TEXT.compare.present,
    source,
    analysis,
    mask: maskOf(item),
    label: kept?.label ?? null,
    created: kept?.created ?? null,
    note: kept?.note ?? "",
  };
  try {
    store.set({ view: "compare", compared: [present, await sideOf(one)], comparedFrom: "work" });
  } catch (error) {
    complain(error);
  }
}

// A corrected outline is known only to the server, so the case is opened for it.
async function sideOf(one) {
  const { analysis, label, note, created } = one;
  let mask = analysis.mask;
  if (one.mask_corrected) {
    const token = await api.openCase(one.id);
    mask = (await api.opened(token)).segmentation;
    api.close(token).catch(() => {});
  }
  const title = label ? (TEXT.bars.codes[label] ?? label) : TEXT.history.noLabel;
  return { title, source: api.caseImageUrl(one.id), analysis, mask, label, note, created };
}

export function compareView() {
  const words = TEXT.compare;
  const back = el("button", { type: "button", id: "compare-back" });
  const body = el("div.pair");
  const table = el("table.comparison");
  const swap = el("button", { type: "button" }, icon("compare"), words.swap);
  back.addEventListener("click", () => store.set({ view: store.get().comparedFrom }));
  swap.addEventListener("click", () => store.set({ compared: store.get().compared.toReversed() }));
  store.watch(
    (state) => [state.compared, state.comparedFrom],
    ({ compared, comparedFrom }) => {
      fill(back, icon("arrowLeft"), comparedFrom === "work" ? words.backWork : words.back);
      const ready = compared.length === 2;
      swap.disabled = !ready;
      fill(body, ready ? compared.map(picture) : el("p.quiet", { role: "status" }, words.loading));
      fill(table, ready && rows(compared));
    },
  );
  const head = el("header.page", {}, el("h1", { id: "compare-title" }, words.title), el("div.actions", {}, back, swap));
  const frame = el("div.card.scroll", { tabindex: "0", role: "region", "aria-label": words.title }, table);
  return el("section.compare", { "aria-labelledby": "compare-title" }, head, body, frame);
}

function picture({ title, source, analysis, mask }) {
  return el("figure.card", {}, drawing(source, title, analysis, mask?.outline), el("figcaption", {}, title));
}

function rows(sides) {
  const words = TEXT.compare.rows;
  const definitions = [...new Set(sides.map(({ analysis }) => analysis.malignancy?.definition).filter(Boolean))];
  const values = [
    [words.risk, ({ analysis }) => answered(analysis, () => percent(analysis.malignancy.probability))],
    [words.verdict, ({ analysis }) => verdict(analysis)],
    [words.melanoma, ({ analysis }) => answered(analysis, () => percent(analysis.p_melanoma))],
    [words.diagnosis, ({ analysis }) => told(analysis, analysis.top_diagnosis, analysis.diagnosis, TEXT.bars.codes)],
    [groupTitle(sides), ({ analysis }) => told(analysis, analysis.top_group, analysis.group, TEXT.bars.groups)],
    [words.area, ({ mask }) => (mask ? percent(mask.area_fraction) : "–")],
    [words.confidence, ({ mask }) => (mask?.confidence ? percent(mask.confidence) : "–")],
    [words.label, ({ label }) => (label ? (TEXT.bars.codes[label] ?? label) : TEXT.history.noLabel)],
    [words.kept, ({ created }) => (created ? moment(created) : "–")],
    [words.note, ({ note }) => note || "–"],
  ];
  const head = el("tr", {}, el("td"), sides.map(({ title }) => el("th", { scope: "col" }, title)));
  const lines = values.map(([name, value]) =>
    el("tr", {}, el("th", { scope: "row" }, name), sides.map((side) => el("td", {}, value(side)))),
  );
  const caption = definitions.map((name) => TEXT.compare.definition(name)).join("; ");
  return [el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, lines)];
}

const answered = (analysis, value) => (isAnswered(analysis) ? value() : TEXT.history.withheld);

function verdict(analysis) {
  const words = TEXT.compare;
  if (isFlaggedWithoutAnswer(analysis)) return words.flagged;
  return answered(analysis, () => (analysis.malignancy.flagged ? words.flagged : words.below));
}

// In a mode the group follows the diagnosis; that of heads alone, as in older cases, is the most probable one.
function groupTitle(sides) {
  const { group, groupOfDiagnosis } = TEXT.compare.rows;
  return sides.every(({ analysis }) => analysis.mode) ? groupOfDiagnosis : group;
}

function told(analysis, key, shares, names) {
  return answered(analysis, () => `${names[key] ?? key} (${percent(shares[key])})`);
}
