// The report on paper: image, outline, numbers and notice of the image in view.

import { isAnswered } from "./answer.js";
import { drawing } from "./drawing.js";
import { el, fill } from "./dom.js";
import { moment, percent } from "./format.js";
import { bars, remaining } from "./result/bars.js";
import { facts } from "./result/card.js";
import { measureTable, outlinedBy } from "./result/lesion.js";
import { evidenceNotice } from "./result/notices.js";
import { verdictCard } from "./result/verdict.js";
import { currentItem, maskOf, store } from "./state.js";
import { TEXT } from "./strings.js";

const sheet = el("article.report", { "aria-hidden": "true" });

/** The sheet that only paper sees; drawn whenever somebody prints beside an image. */
export function reportSheet() {
  addEventListener("beforeprint", () => draw(store.get().view === "work" ? currentItem() : null));
  return sheet;
}

/** Prints the report of an image; the browser offers PDF, too. */
export async function printReport(item) {
  draw(item);
  await Promise.all([...sheet.querySelectorAll("image")].map((image) => image.decode?.()));
  print();
}

function draw(item) {
  fill(sheet, item?.status === "done" && body(item));
  // Its parts are copies of the result; no id may be there twice.
  for (const node of sheet.querySelectorAll("[id], [aria-labelledby]")) {
    node.removeAttribute("id");
    node.removeAttribute("aria-labelledby");
  }
}

function body(item) {
  const { analysis } = item;
  const mask = maskOf(item);
  const answered = isAnswered(analysis);
  const model = store.get().models.find(({ in_use: inUse }) => inUse);
  const label = item.case?.label;
  return [
    el("header", {}, el("h1", {}, TEXT.report.title), el("p", {}, TEXT.report.made(moment(new Date().toISOString())))),
    el("p.notice", {}, TEXT.report.notice),
    el(
      "div.spread",
      {},
      el(
        "div",
        {},
        drawing(item.source, item.name, analysis, mask?.outline),
        identity(item, mask, model, label),
        answered && [
          el("h2", {}, TEXT.bars.diagnosis),
          bars(analysis.diagnosis, TEXT.bars.codes, TEXT.bars.diagnosis),
          remaining(analysis),
        ],
      ),
      el(
        "div",
        {},
        verdictCard(item),
        evidenceNotice(item),
        item.measures && [el("h2", {}, TEXT.lesion.measures), measureTable(item.measures)],
        answered && [
          el("h2", {}, TEXT.bars.group),
          bars(analysis.group, TEXT.bars.groups, TEXT.bars.group),
          el("p.fine", {}, TEXT.bars.equal),
        ],
      ),
    ),
  ];
}

function identity(item, mask, model, label) {
  const { analysis } = item;
  const flags = analysis.quality.map((flag) => TEXT.quality.flags[flag] ?? TEXT.quality.other(flag)).join(" ");
  return facts([
    [TEXT.report.file, item.name],
    [TEXT.details.size, TEXT.details.sizeValue(analysis.width, analysis.height)],
    [TEXT.quality.title, flags || TEXT.quality.good],
    [TEXT.lesion.confidence, mask?.confidence && percent(mask.confidence)],
    [TEXT.lesion.area, mask && percent(mask.area_fraction)],
    [TEXT.lesion.prompt, mask && outlinedBy(mask)],
    [TEXT.keep.label, label && (TEXT.bars.codes[label] ?? label)],
    [TEXT.keep.note, item.case?.note],
    [TEXT.details.model, model && `${model.name} ${model.version}`],
    [TEXT.details.fingerprint, analysis.bundle],
    [TEXT.details.version, store.get().health?.version],
  ]);
}
