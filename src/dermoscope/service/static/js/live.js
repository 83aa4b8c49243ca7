// Tells people who listen to the page what has changed.

import { el } from "./dom.js";

const region = el("div.unseen", { "aria-live": "polite", role: "status", id: "live" });

export const liveRegion = () => region;

/** Reads a sentence out once the reader has time. */
export function announce(text) {
  region.textContent = "";
  // A new node is what screen readers notice, also where the sentence is the same.
  requestAnimationFrame(() => region.replaceChildren(el("p", {}, text)));
}
