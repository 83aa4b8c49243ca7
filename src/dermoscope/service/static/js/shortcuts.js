// Single keys for those who work fast. They can be turned off, for people who steer by voice.

import { openDialog } from "./dialog.js";
import { el } from "./dom.js";
import { canDraw } from "./prompts.js";
import { reset, undo } from "./session.js";
import { currentItem, store } from "./state.js";
import { TEXT } from "./strings.js";
import { TOOLS } from "./toolbar.js";

const KEY = "dermoscope-single-keys";
const BRUSH = { smallest: 6, largest: 96, step: 6 };
const toolOf = new Map(TOOLS.map((tool) => [TEXT.tools[tool].key.toLowerCase(), tool]));

/** Listens for keys on the whole page. */
export function listenForKeys(viewer) {
  addEventListener("keydown", (event) => {
    if (event.target.closest?.("input:not([type=range], [type=checkbox]), textarea, select, dialog")) return;
    const key = event.key.toLowerCase();
    if (key === "escape") {
      viewer.hand.cancel();
      store.set({ tool: "move" });
    } else if ((event.ctrlKey || event.metaKey) && key === "z" && !event.shiftKey) takeBack();
    else if (event.ctrlKey || event.metaKey || event.altKey || !singleKeys() || !press(key, viewer)) return;
    event.preventDefault();
  });
}

/** Shows all keys, and the switch for them. */
export function showShortcuts() {
  const words = TEXT.shortcuts;
  const groups = words.groups.map(([title, keys]) =>
    el("section", {}, el("h3", {}, title), el("dl.keys", {}, keys.map(keyRow))),
  );
  const box = el("input", { type: "checkbox", checked: singleKeys(), "aria-describedby": "single-hint" });
  box.addEventListener("change", () => remember(box.checked));
  const hint = el("p.fine", { id: "single-hint" }, words.singleHint);
  const choice = el("div", {}, el("label.check", {}, box, words.single), hint);
  openDialog("shortcuts", words.title, el("div.groups", {}, groups), choice);
}

const keyRow = ([keys, text]) => el("div", {}, el("dt", {}, keys.split(" ").map(asKey)), el("dd", {}, text));

const asKey = (text) => (text === "or" ? " or " : el("kbd", {}, text));

function press(key, viewer) {
  if (key === "?") showShortcuts();
  else if (store.get().view !== "work" || !store.get().items.length) return false;
  else if (toolOf.has(key)) store.set({ tool: toolOf.get(key) });
  else if (key === "u") takeBack();
  else if (key === "r") startOver();
  else if (key === "o") store.set({ outline: !store.get().outline });
  else if (key === "v") store.set({ evidence: !store.get().evidence });
  else if (key === "[") brush(-BRUSH.step);
  else if (key === "]") brush(BRUSH.step);
  else if (key === "n") step(1);
  else if (key === "b") step(-1);
  else if (key === "+" || key === "=") viewer.zoom(1);
  else if (key === "-") viewer.zoom(-1);
  else if (key === "0") viewer.fit();
  else return false;
  return true;
}

const takeBack = () => canDraw() && currentItem().segmentation?.can_undo && undo(currentItem().id);
const startOver = () => canDraw() && currentItem().segmentation?.can_undo && reset(currentItem().id);

function brush(change) {
  const size = store.get().brush + change;
  store.set({ brush: Math.min(BRUSH.largest, Math.max(BRUSH.smallest, size)) });
}

function step(direction) {
  const { items, currentId } = store.get();
  const index = items.findIndex(({ id }) => id === currentId) + direction;
  if (items[index]) store.set({ currentId: items[index].id });
}

function singleKeys() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function remember(on) {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Without storage they come back with the next page.
  }
}
