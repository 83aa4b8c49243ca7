// What the page knows: the server, the images of this session, and which of them is looked at.

import { createStore } from "./store.js";

export const store = createStore({
  health: null, // of /v1/health; null until it answered
  models: [],
  online: true,
  view: "work", // work, history or compare
  items: [],
  currentId: null,
  busyUntil: 0, // time in ms before which the server wants no more images
  tool: "move",
  brush: 24, // diameter in CSS pixels
  outline: true,
  evidence: false,
  evidenceOpacity: 0.6,
  compared: [], // cases side by side
  mmPerPixel: null, // scale of images that are opened from now on, where a person gave one
});

let lastId = 0;

/** An image of this session. Names stay in the page; the server never sees them. */
export function newItem(fields) {
  lastId += 1;
  return {
    id: lastId,
    name: "",
    file: null,
    mmPerPixel: null, // the scale it was opened with
    source: "", // address of a picture the browser can show
    status: "waiting", // waiting, sending, done or failed
    error: null, // in words, once it failed
    final: false, // whether trying again is of no use
    token: null,
    analysis: null,
    segmentation: null, // the mask as it stands
    measures: undefined, // undefined: not asked yet; null: there are none
    evidence: undefined,
    similar: undefined,
    case: null, // its case in the history, once it is kept
    pending: null, // the prompt the server works on, `{points, box}`
    working: false, // the mask is being made anew
    unsaved: false, // corrected since it was last kept
    ...fields,
  };
}

export const itemOf = (id) => store.get().items.find((item) => item.id === id) ?? null;

export const currentItem = (state = store.get()) => state.items.find((item) => item.id === state.currentId) ?? null;

export function addItems(items) {
  const state = store.get();
  store.set({ items: [...state.items, ...items], currentId: state.currentId ?? items[0]?.id ?? null });
}

export function updateItem(id, patch) {
  store.set({ items: store.get().items.map((item) => (item.id === id ? { ...item, ...patch } : item)) });
}

/** Takes an image from the list; its neighbour takes its place. */
export function dropItem(id) {
  const { items, currentId } = store.get();
  const index = items.findIndex((item) => item.id === id);
  const rest = items.filter((item) => item.id !== id);
  const next = rest[Math.min(index, rest.length - 1)]?.id ?? null;
  store.set({ items: rest, currentId: currentId === id ? next : currentId });
}

/** The mask as it stands: outline, box, confidence, area; null where there is none. */
export function maskOf(item) {
  const mask = item.segmentation ?? item.analysis?.mask ?? null;
  return mask?.outline?.length ? mask : null;
}
