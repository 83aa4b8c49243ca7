// The list of this session's images, with what came out of each.

import { isAnswered, isFlaggedWithoutAnswer } from "./answer.js";
import { el, fill } from "./dom.js";
import { percent } from "./format.js";
import { icon } from "./icons.js";
import { cameraButton, chooseButton } from "./intake.js";
import { remove } from "./queue.js";
import { scaleField } from "./scale.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";

export function queueView() {
  const title = el("h2", { id: "queue-title" }, TEXT.queue.title);
  const counter = el("p.quiet.counter");
  const bar = el("progress", { max: 1, value: 0, "aria-label": TEXT.queue.progressLabel });
  const list = el("ol.queue");
  const rows = new Map(); // id of an image to its row, so that focus stays where it is

  store.watch(
    (state) => [state.items, state.currentId, state.busyUntil],
    ({ items, currentId, busyUntil }) => {
      const finished = items.filter(({ status }) => status === "done" || status === "failed").length;
      fill(counter, TEXT.queue.progress(finished, items.length));
      bar.max = Math.max(1, items.length);
      bar.value = finished;
      bar.hidden = finished === items.length;
      for (const id of rows.keys()) if (!items.some((item) => item.id === id)) rows.get(id).remove();
      items.forEach((item) => {
        const row = rows.get(item.id) ?? list.appendChild(el("li"));
        rows.set(item.id, row);
        drawRow(row, item, item.id === currentId, busyUntil > Date.now());
      });
    },
  );
  const head = el("header", {}, title, counter, bar);
  const more = el("div.actions", {}, chooseButton(TEXT.intake.add, "secondary"), cameraButton());
  return el("section.side.card", { "aria-labelledby": "queue-title" }, head, list, more, scaleField("scale-more"));
}

function drawRow(row, item, current, busy) {
  const key = [item.status, item.analysis, item.source, item.name, current, busy];
  if (row.drawn && key.every((value, index) => value === row.drawn[index])) return;
  row.drawn = key;
  const focused = row.contains(document.activeElement) ? document.activeElement.className : "";
  fill(row, openButton(item, current, busy), removeButton(item));
  if (focused) row.querySelector(`.${focused.split(" ")[0]}`)?.focus();
  if (current) revealInside(row);
}

function openButton(item, current, busy) {
  const { kind, text } = outcome(item, busy);
  const click = () => store.set({ currentId: item.id, view: "work" });
  return el(
    "button.entry",
    { type: "button", "aria-current": current ? "true" : null, title: item.name, on: { click } },
    thumbnail(item),
    el("span.name", {}, item.name),
    el(`span.outcome.${kind}`, {}, item.status === "sending" && el("span.spinner", { "aria-hidden": "true" }), text),
  );
}

function thumbnail({ source }) {
  const picture = el("img", { src: source, alt: "", decoding: "async" });
  picture.addEventListener("error", () => picture.replaceWith(icon("image")));
  return el("span.thumb", {}, picture);
}

function removeButton(item) {
  const text = TEXT.queue.remove(item.name);
  return el(
    "button.drop-entry.plain.icon-only",
    { type: "button", "aria-label": text, title: text, on: { click: () => removeAndLookUp(item.id) } },
    icon("close"),
  );
}

// The button is gone with its image, so the focus goes to the image that takes its place.
function removeAndLookUp(id) {
  remove(id);
  setTimeout(() => (document.querySelector(".entry[aria-current]") ?? document.getElementById("main")).focus());
}

/** What came out of an image, in two or three words; `kind` are the classes it is drawn with. */
export function outcome({ status, analysis }, busy = false) {
  const words = TEXT.queue;
  if (status === "failed") return { kind: "failed", text: words.failed };
  if (status === "sending") return { kind: "pending", text: words.sending };
  if (status === "waiting") return { kind: "pending", text: busy ? words.busy : words.waiting };
  if (analysis.gate && !analysis.gate.is_skin) return { kind: "withheld", text: words.notSkin };
  if (isFlaggedWithoutAnswer(analysis)) return { kind: "withheld.flagged", text: words.withheldFlagged };
  if (!isAnswered(analysis)) return { kind: "withheld", text: words.withheld };
  const risk = percent(analysis.malignancy.probability);
  return analysis.malignancy.flagged
    ? { kind: "flagged", text: words.flagged(risk) }
    : { kind: "plain", text: words.risk(risk) };
}

// Scrolls the list, never the page.
function revealInside(row) {
  const list = row.parentElement;
  if (!list) return;
  const { left, right, top, bottom } = row.getBoundingClientRect();
  const frame = list.getBoundingClientRect();
  if (left < frame.left || right > frame.right) list.scrollLeft += left - frame.left - 8;
  if (top < frame.top || bottom > frame.bottom) list.scrollTop += top - frame.top - 8;
}
