// The kept cases: search, filter, open, compare, export, delete.

import * as api from "./api.js";
import { caseCard } from "./case_card.js";
import { compareCases } from "./compare.js";
import { el, fill } from "./dom.js";
import { inWords, isHistoryOff } from "./failure.js";
import { icon } from "./icons.js";
import { labelSelect } from "./result/keep.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";

const PAUSE = 250; // ms after the last key before a search starts

export function historyView() {
  const words = TEXT.history;
  const search = el("input", { type: "search", id: "history-search", autocomplete: "off" });
  const label = labelSelect("history-label", "", words.anyLabel);
  const total = el("p.quiet.total", { role: "status" });
  const list = el("ul.cases");
  const more = el("button", { type: "button", hidden: true }, words.more);
  const empty = el("div.empty", { hidden: true });
  const picked = new Map(); // id to case
  const bar = el("div.pickbar", { hidden: true });
  const exports = exportLinks();
  const filters = el("form.filters", { role: "search", on: { submit: (event) => event.preventDefault() } });
  let page = { next: null };
  let round = 0; // answers of an earlier search are dropped

  const drawBar = () => {
    bar.hidden = picked.size === 0;
    const attributes = { type: "button", id: "compare", disabled: picked.size !== 2 };
    const compare = el("button.primary", attributes, icon("compare"), words.compare);
    compare.addEventListener("click", () => compareCases([...picked.values()], "history"));
    const clear = el("button", { type: "button" }, words.unpick);
    clear.addEventListener("click", () => {
      picked.clear();
      for (const box of list.querySelectorAll("input:checked")) box.checked = false;
      drawBar();
    });
    fill(bar, el("p", {}, words.picked(picked.size)), el("div.actions", {}, compare, clear));
  };
  const pick = (one, wanted) => {
    if (!wanted) picked.delete(one.id);
    else {
      if (picked.size === 2) {
        const [oldest] = picked.keys();
        picked.delete(oldest);
        const box = list.querySelector(`input[value="${CSS.escape(oldest)}"]`);
        if (box) box.checked = false;
      }
      picked.set(one.id, one);
    }
    drawBar();
  };
  const load = async (before = "") => {
    const mine = ++round;
    if (!before) fill(total, words.loading);
    try {
      const answer = await api.listCases({ search: search.value, label: label.value, before });
      if (mine !== round) return;
      page = answer;
      fill(total, words.total(answer.total));
      const gone = () => load().then(() => search.focus());
      const cards = answer.cases.map((one) => caseCard(one, { pick, picked: picked.has(one.id), gone }));
      if (before) list.append(...cards);
      else fill(list, cards);
      more.hidden = !answer.next;
      const filtered = Boolean(search.value || label.value);
      exports.hidden = filters.hidden = answer.total === 0 && !filtered;
      showEmpty(empty, answer.total === 0, filtered, () => {
        search.value = label.value = "";
        load();
      });
    } catch (error) {
      if (mine !== round) return;
      fill(total, "");
      fill(list);
      more.hidden = exports.hidden = true;
      filters.hidden = isHistoryOff(error);
      const title = isHistoryOff(error) ? words.offTitle : TEXT.errors.title;
      fill(empty, icon("history"), el("h2", {}, title), el("p", {}, inWords(error)));
      empty.hidden = false;
    }
  };

  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE, "");
  });
  label.addEventListener("change", () => load());
  more.addEventListener("click", () => load(page.next));
  store.watch((state) => [state.view], ({ view }) => {
    if (view !== "history") return;
    picked.clear();
    drawBar();
    fill(list); // it may be of another time
    load();
  });

  fill(
    filters,
    el("label.field", {}, el("span", {}, words.search), search),
    el("label.field", {}, el("span", {}, words.label), label),
    total,
  );
  const title = el("h1", { id: "history-title" }, words.title);
  return el(
    "section.history",
    { "aria-labelledby": "history-title" },
    el("header.page", {}, el("div", {}, title, el("p.lead", {}, words.lead)), exports),
    filters,
    list,
    empty,
    el("div.actions.centred", {}, more),
    bar,
  );
}

function showEmpty(node, isEmpty, filtered, showAll) {
  const words = TEXT.history;
  node.hidden = !isEmpty;
  if (!isEmpty) return;
  const button = filtered && el("button", { type: "button", on: { click: showAll } }, words.showAll);
  const [title, hint] = filtered ? [words.nothing, words.nothingHint] : [words.empty, words.emptyHint];
  fill(node, icon("history"), el("h2", {}, title), el("p", {}, hint), button);
}

function exportLinks() {
  const words = TEXT.history;
  const link = (corrected, text) =>
    el("a", { href: api.exportUrl(corrected), download: "cases.zip" }, icon("download"), text);
  const sheet = el(
    "div.sheet",
    {},
    link(false, words.exportAll),
    link(true, words.exportCorrected),
    el("p.fine", {}, words.exportHint),
  );
  return el("details.menu", { id: "export" }, el("summary", {}, icon("download"), words.export), sheet);
}
