// One kept case on the list of the history.

import * as api from "./api.js";
import { confirmDelete } from "./dialog.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { announce } from "./live.js";
import { outcome } from "./queue_view.js";
import { addItems, newItem, store, updateItem } from "./state.js";
import { TEXT } from "./strings.js";
import { calm, complain } from "./toast.js";

/** The card of a case. `pick(case, wanted)` takes it for comparing, `gone()` is called after it was deleted. */
export function caseCard(one, { pick, picked, gone }) {
  const words = TEXT.history;
  const name = one.label ? (TEXT.bars.codes[one.label] ?? one.label) : words.noLabel;
  const { kind, text } = outcome({ status: "done", analysis: one.analysis });
  const date = moment(one.created);
  const pickLabel = words.pickLabel(`${name}, ${date}`);
  const box = el("input", { type: "checkbox", value: one.id, checked: picked, "aria-label": pickLabel });
  box.addEventListener("change", () => pick(one, box.checked));
  const open = el(
    "button.face",
    { type: "button", on: { click: () => openCase(one) } },
    el("img", { src: api.caseThumbnailUrl(one.id), alt: words.thumbnailAlt(name, date), loading: "lazy" }),
  );
  return el(
    "li.case",
    {},
    open,
    el(
      "div.about",
      {},
      el(`h2${one.label ? "" : ".quiet"}`, {}, name),
      el(`p.outcome.${kind}`, {}, text),
      el("p.quiet.when", {}, el("time", { datetime: one.created }, date)),
      one.mask_corrected && el("p.tag", {}, icon("outline"), words.corrected),
      one.note && el("p.note", {}, one.note),
    ),
    el(
      "div.actions",
      {},
      el("label.check", {}, box, el("span", { "aria-hidden": "true" }, words.pick)),
      el("button.plain", { type: "button", on: { click: () => openCase(one) } }, words.open),
      removeButton(one, name, gone),
    ),
  );
}

/** Opens a kept case on the stage, to look at or to correct. */
export async function openCase(one) {
  const known = store.get().items.find((item) => item.case?.id === one.id);
  if (known) {
    updateItem(known.id, { case: one });
    store.set({ view: "work", currentId: known.id });
    return;
  }
  try {
    const token = await api.openCase(one.id);
    const item = newItem({
      name: TEXT.queue.caseName(moment(one.created)),
      source: api.caseImageUrl(one.id),
      status: "done",
      token,
      analysis: one.analysis,
      case: one,
    });
    calm();
    addItems([item]);
    store.set({ view: "work", currentId: item.id });
  } catch (error) {
    complain(error);
  }
}

function removeButton(one, name, gone) {
  const text = `${TEXT.keep.remove}: ${name}`;
  const attributes = { type: "button", "aria-label": text, title: TEXT.keep.remove };
  const button = el("button.plain.icon-only", attributes, icon("trash"));
  button.addEventListener("click", async () => {
    if (!(await confirmDelete())) return;
    try {
      await api.deleteCase(one.id);
      for (const item of store.get().items) if (item.case?.id === one.id) updateItem(item.id, { case: null });
      calm();
      announce(TEXT.announce.deleted);
      gone();
    } catch (error) {
      complain(error);
    }
  });
  return button;
}
