// Short messages at the edge of the page, for what fails beside the result.

import { el } from "./dom.js";
import { inWords } from "./failure.js";
import { icon } from "./icons.js";
import { TEXT } from "./strings.js";

const shelf = el("div.toasts", { role: "alert" });

export const toastShelf = () => shelf;

/** Shows an error until it is dismissed. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  const close = el("button.plain.icon-only", { type: "button", "aria-label": TEXT.errors.dismiss }, icon("close"));
  const toast = el("div.toast", {}, icon("warning"), el("p", {}, inWords(error)), close);
  close.addEventListener("click", () => toast.remove());
  shelf.replaceChildren(toast);
}

/** Takes the message away, once what it complained about has worked. */
export const calm = () => shelf.replaceChildren();
