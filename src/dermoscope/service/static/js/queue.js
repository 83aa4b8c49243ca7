// Sends the images one after the other, waits when the server is busy, and goes on when it is back.

import { isFlaggedWithoutAnswer } from "./answer.js";
import * as api from "./api.js";
import { inWords, isFinal, patience } from "./failure.js";
import { percent, sentence } from "./format.js";
import { announce } from "./live.js";
import { addItems, dropItem, itemOf, newItem, store, updateItem } from "./state.js";
import { TEXT } from "./strings.js";

// The server computes one image while the next one is on its way to it.
const AT_ONCE = 2;
const LARGEST = 25 * 2 ** 20;
const aborts = new Map();

/** Puts files at the end of the queue and starts it. */
export function enqueue(files, nameless = "") {
  const { mmPerPixel } = store.get();
  const items = [...files].map((file) => {
    const name = file.name && !nameless ? file.name : nameless;
    return newItem({ file, mmPerPixel, name, source: URL.createObjectURL(file) });
  });
  if (!items.length) return;
  const idle = store.get().items.length === 0;
  addItems(items);
  store.set({ view: "work", ...(idle ? {} : { currentId: items[0].id }) });
  announce(TEXT.announce.added(items.length));
  pump();
}

/** Sends what waits, as far as the server takes it. */
export function pump() {
  const { items, busyUntil, online } = store.get();
  if (!online) return;
  const wait = busyUntil - Date.now();
  if (wait > 0) {
    setTimeout(pump, wait + 50);
    return;
  }
  const free = AT_ONCE - items.filter((item) => item.status === "sending").length;
  for (const item of items.filter(({ status }) => status === "waiting").slice(0, Math.max(0, free))) send(item);
}

/** Tries a failed image again. */
export function retry(id) {
  updateItem(id, { status: "waiting", error: null });
  pump();
}

/** Takes an image from the list, wherever it stands. */
export function remove(id) {
  const item = itemOf(id);
  if (!item) return;
  aborts.get(id)?.abort();
  if (item.token) api.close(item.token).catch(() => {}); // the server forgets it by itself, too
  if (item.source.startsWith("blob:")) URL.revokeObjectURL(item.source);
  dropItem(id);
  pump();
}

async function send(item) {
  if (item.file.size > LARGEST) {
    settle(item, { status: "failed", error: TEXT.errors.tooLarge, final: true });
    return;
  }
  const abort = new AbortController();
  aborts.set(item.id, abort);
  updateItem(item.id, { status: "sending" });
  try {
    const { analysis, image } = await api.analyse(item, abort.signal);
    if (analysis.status === "failed") settle(item, { status: "failed", error: sentence(analysis.reason), analysis });
    else settle(item, { status: "done", analysis, token: image });
  } catch (error) {
    if (error.name === "AbortError") return;
    const seconds = patience(error);
    if (error instanceof api.OfflineError) updateItem(item.id, { status: "waiting" });
    else if (seconds !== null) {
      store.set({ busyUntil: Date.now() + seconds * 1000 });
      updateItem(item.id, { status: "waiting" });
    } else settle(item, { status: "failed", error: inWords(error), final: isFinal(error) });
  } finally {
    aborts.delete(item.id);
    pump();
  }
}

function settle(item, outcome) {
  updateItem(item.id, outcome);
  announce(spoken(item.name, outcome));
}

function spoken(name, { status, error, analysis }) {
  if (status === "failed") return TEXT.announce.failed(name, error);
  if (analysis.abstained) {
    const text = TEXT.announce.withheld(name, sentence(analysis.abstain_reason));
    return isFlaggedWithoutAnswer(analysis) ? `${text} ${TEXT.withheld.flagged}` : text;
  }
  const { probability, flagged } = analysis.malignancy;
  return TEXT.announce.answer(name, percent(probability), flagged);
}
