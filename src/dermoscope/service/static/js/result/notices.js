// What to know before believing the number: image quality, and whether there is a lesion at all.

import { el } from "../dom.js";
import { icon } from "../icons.js";
import { TEXT } from "../strings.js";

/** Notices of an analysis, none for a good image with a lesion. */
export function notices({ analysis }, mask) {
  const list = [];
  if (analysis.gate?.is_skin && !mask) list.push(notice("search", TEXT.noLesion.title, TEXT.noLesion.text));
  if (analysis.quality.length) {
    const texts = analysis.quality.map((flag) => TEXT.quality.flags[flag] ?? TEXT.quality.other(flag));
    list.push(notice("warning", TEXT.quality.title, ...texts));
  }
  return list;
}

function notice(name, title, ...texts) {
  const body = el("div", {}, el("h3", {}, title), texts.map((text) => el("p", {}, text)));
  return el("section.card.caution", {}, icon(name), body);
}
