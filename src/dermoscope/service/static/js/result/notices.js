// What to know before believing the number: where it comes from, image quality, and whether there is a lesion at all.

import { evidenceWarning } from "../answer.js";
import { el } from "../dom.js";
import { sentence } from "../format.js";
import { icon } from "../icons.js";
import { maskOf } from "../state.js";
import { TEXT } from "../strings.js";

/** Notices of an analysis, none for a good image with a lesion. */
export function notices(item) {
  const { analysis } = item;
  const list = [evidenceNotice(item)];
  if (analysis.gate?.is_skin && !maskOf(item)) list.push(notice("search", TEXT.noLesion.title, TEXT.noLesion.text));
  if (analysis.quality.length) {
    const texts = analysis.quality.map((flag) => TEXT.quality.flags[flag] ?? TEXT.quality.other(flag));
    list.push(notice("warning", TEXT.quality.title, ...texts));
  }
  return list;
}

/** The notice that the risk comes from beside the lesion; none where it does not. */
export function evidenceNotice({ analysis, segmentation }) {
  const warning = evidenceWarning(analysis);
  const words = TEXT.evidence;
  const asDrawn = segmentation?.is_corrected ? words.asDrawn : "";
  return warning ? notice("warning", words.title, sentence(warning), asDrawn) : null;
}

function notice(name, title, ...texts) {
  const body = el("div", {}, el("h3", {}, title), texts.map((text) => text && el("p", {}, text)));
  return el("section.card.caution", {}, icon(name), body);
}
