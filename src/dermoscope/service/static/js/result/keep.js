// Keeps an image as a case, and mends label, note and outline of one that is kept.

import * as api from "../api.js";
import { confirmDelete } from "../dialog.js";
import { el } from "../dom.js";
import { moment } from "../format.js";
import { icon } from "../icons.js";
import { announce } from "../live.js";
import { withToken } from "../session.js";
import { itemOf, store, updateItem } from "../state.js";
import { TEXT } from "../strings.js";
import { calm, complain } from "../toast.js";
import { card } from "./card.js";

const LONGEST_NOTE = 2000;
const CODES = Object.keys(TEXT.bars.codes);

export function keepCard(item) {
  const words = TEXT.keep;
  if (store.get().health && !store.get().health.history) {
    return card("keep", words.title, el("p.quiet", {}, words.off));
  }
  const title = item.case ? words.keptTitle : words.title;
  return card("keep", title, el("p.quiet", {}, item.case ? keptWhen(item.case) : words.lead), form(item));
}

/** The choice of a diagnosis, empty for none. */
export function labelSelect(id, chosen, empty) {
  const options = CODES.map((code) =>
    el("option", { value: code, selected: code === chosen }, `${TEXT.bars.codes[code]} (${code})`),
  );
  return el("select", { id }, el("option", { value: "" }, empty), options);
}

function form(item) {
  const words = TEXT.keep;
  const label = labelSelect("keep-label", item.case?.label ?? "", words.noLabel);
  const note = el("textarea", {
    id: "keep-note",
    rows: "2",
    maxlength: LONGEST_NOTE,
    "aria-describedby": "keep-hint",
    value: item.case?.note ?? "",
  });
  const submit = el("button.primary", { type: "submit" }, item.case ? words.save : words.keep);
  const node = el(
    "form.stack",
    { id: "keep-form" },
    el("label.field", {}, el("span", {}, words.label), label),
    el("label.field", {}, el("span", {}, words.note), note),
    el("p.fine", { id: "keep-hint" }, words.noteHint),
    el("div.actions", {}, submit, item.case && removeButton(item)),
  );
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const values = { label: label.value || null, note: note.value };
    await (item.case ? save(item, values) : keep(item, values));
    submit.disabled = false;
    setTimeout(() => document.querySelector("#keep-form [type=submit]")?.focus()); // the form is drawn anew
  });
  return node;
}

async function keep(item, { label, note }) {
  try {
    const kept = await withToken(item.id, (token) => api.keepCase(token, label, note));
    calm();
    updateItem(item.id, { case: kept, unsaved: false });
    announce(TEXT.announce.kept);
  } catch (error) {
    complain(error);
  }
}

async function save(item, values) {
  try {
    const changed = itemOf(item.id).unsaved
      ? await withToken(item.id, (image) => api.correctCase(item.case.id, { ...values, image }))
      : await api.correctCase(item.case.id, values);
    calm();
    updateItem(item.id, { case: changed, unsaved: false });
    announce(TEXT.announce.saved);
  } catch (error) {
    complain(error);
  }
}

function removeButton(item) {
  const button = el("button.danger", { type: "button", id: "delete-case" }, icon("trash"), TEXT.keep.remove);
  button.addEventListener("click", async () => {
    if (!(await confirmDelete())) return;
    try {
      await api.deleteCase(item.case.id);
      calm();
      updateItem(item.id, { case: null });
      announce(TEXT.announce.deleted);
    } catch (error) {
      complain(error);
    }
  });
  return button;
}

function keptWhen({ created, changed }) {
  const words = [TEXT.keep.kept(moment(created))];
  if (changed && moment(changed) !== moment(created)) words.push(TEXT.keep.changed(moment(changed)));
  return words.join(", ");
}
