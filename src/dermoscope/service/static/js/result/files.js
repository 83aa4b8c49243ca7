// The report to print and the files to take away.

import * as api from "../api.js";
import { el } from "../dom.js";
import { icon } from "../icons.js";
import { printReport } from "../report.js";
import { withToken } from "../session.js";
import { maskOf, store } from "../state.js";
import { TEXT } from "../strings.js";
import { calm, complain } from "../toast.js";
import { card } from "./card.js";

export function filesCard(item) {
  const words = TEXT.files;
  const analysed = store.get().items.filter(({ file, status }) => file && status === "done");
  const alike = analysed.filter(({ mmPerPixel }) => mmPerPixel === item.mmPerPixel);
  const files = alike.map(({ file }) => file);
  return card(
    "files",
    words.title,
    el(
      "div.grid",
      {},
      action("print", words.print, () => printReport(item)),
      action("download", words.json, () => save(jsonOf(item), "analysis.json")),
      maskOf(item) && action("download", words.mask, () => saveMask(item)),
      files.length > 0 && action("download", words.zip, () => saveAll(files, item.mmPerPixel)),
    ),
    files.length > 0 && el("p.fine", {}, alike.length < analysed.length ? words.zipHintScale : words.zipHint),
  );
}

function action(name, text, work) {
  const button = el("button", { type: "button" }, icon(name), text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await work();
      calm();
    } catch (error) {
      complain(error);
    }
    button.disabled = false;
  });
  return button;
}

const saveMask = async ({ id }) => save(await withToken(id, api.maskBlob), "mask.png");

const saveAll = async (files, mmPerPixel) => save(await api.analysisFiles(files, mmPerPixel), "dermoscope.zip");

function jsonOf({ analysis, segmentation, measures }) {
  return new Blob([JSON.stringify({ analysis, segmentation, measures }, null, 2)], { type: "application/json" });
}

/** Hands a file to the browser's own download. */
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
