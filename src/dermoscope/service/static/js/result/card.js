// The frame of each part of the result.

import { el } from "../dom.js";

/** A titled part; the title names the region for screen readers. */
export function card(id, title, ...children) {
  return el(
    "section.card",
    { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

/** Term and value pairs. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => ![null, undefined, false, ""].includes(value));
  return el("dl.facts", {}, known.map(fact));
}

function fact([term, value, hint]) {
  return el("div", {}, el("dt", {}, term, hint && el("small", {}, hint)), el("dd", {}, value));
}
