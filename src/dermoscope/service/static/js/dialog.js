// Dialogs of the browser's own kind: it keeps the focus inside, and Escape closes them.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { TEXT } from "./strings.js";

/** Opens a dialog; it is gone from the page once it closes. */
export function openDialog(id, title, ...children) {
  const close = el("button.plain.icon-only", { type: "button", "aria-label": TEXT.shortcuts.close }, icon("close"));
  const head = el("header", {}, el("h2", { id: `${id}-title` }, title), close);
  const dialog = el("dialog", { id, "aria-labelledby": `${id}-title` }, head, ...children);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before a case is deleted; true if it may be. */
export function confirmDelete() {
  const words = TEXT.dialog;
  return new Promise((resolve) => {
    const yes = el("button.danger.strong", { type: "button", id: "confirm-delete" }, icon("trash"), words.deleteYes);
    const no = el("button", { type: "button", autofocus: true }, words.deleteNo);
    const text = el("p", {}, words.deleteText);
    const dialog = openDialog("delete", words.deleteTitle, text, el("div.actions", {}, no, yes));
    let answer = false;
    yes.addEventListener("click", () => {
      answer = true;
      dialog.close();
    });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => resolve(answer));
  });
}
