// The viewer of the page: follows the state, with the tools above and the layers below.

import * as api from "./api.js";
import { el, fill, setVariable } from "./dom.js";
import { paintEvidence } from "./evidence_map.js";
import { percent } from "./format.js";
import { icon } from "./icons.js";
import { canDraw, createHand, showPrompts } from "./prompts.js";
import { loadEvidence } from "./session.js";
import { currentItem, maskOf, store, updateItem } from "./state.js";
import { TEXT } from "./strings.js";
import { toolbar } from "./toolbar.js";
import { Viewer } from "./viewer.js";

/** The middle of the page, and the viewer for the shortcuts. */
export function stageView() {
  const viewer = new Viewer(createHand(() => viewer));
  watchPicture(viewer);
  watchOutline(viewer);
  watchEvidence(viewer);
  watchWork(viewer);
  store.watch(
    (state) => [state.tool, canDraw(state), state.currentId],
    (state) => {
      viewer.refresh();
      viewer.hint.textContent = canDraw(state) && state.tool !== "move" ? TEXT.tools[state.tool].hint : "";
      viewer.hint.hidden = !viewer.hint.textContent;
    },
  );
  const node = el("section.viewer.card", { "aria-label": TEXT.queue.title }, toolbar(), viewer.node, layers(viewer));
  return { node, viewer };
}

function watchPicture(viewer) {
  store.watch(
    (state) => [state.currentId, currentItem(state)?.source, currentItem(state)?.analysis],
    (state) => {
      const item = currentItem(state);
      if (!item) return viewer.clear();
      const { width, height } = item.analysis ?? {};
      if (viewer.shownId !== item.id) viewer.image = null;
      viewer.shownId = item.id;
      return viewer.show(item.source, TEXT.viewer.imageAlt(item.name), width ? { width, height } : null);
    },
  );
  // What the browser cannot show, such as TIFF and DICOM, comes from the server as JPEG.
  viewer.picture.addEventListener("error", () => {
    const item = currentItem();
    if (!item) return;
    viewer.picture.hidden = true;
    if (item.token && item.source.startsWith("blob:")) updateItem(item.id, { source: api.displayUrl(item.token) });
  });
  store.watch(
    (state) => [currentItem(state)?.token],
    (state) => {
      const item = currentItem(state);
      const unseen = viewer.picture.hidden || (viewer.picture.complete && !viewer.picture.naturalWidth);
      if (item?.token && item.source.startsWith("blob:") && unseen && viewer.picture.complete) {
        updateItem(item.id, { source: api.displayUrl(item.token) });
      }
    },
  );
}

function watchOutline(viewer) {
  store.watch(
    (state) => [state.outline, currentItem(state)?.segmentation, currentItem(state)?.analysis],
    (state) => {
      const item = currentItem(state);
      viewer.overlay.showOutline((state.outline && item && maskOf(item)?.outline) || []);
    },
  );
  store.watch(
    (state) => [state.currentId, currentItem(state)?.segmentation, currentItem(state)?.pending],
    () => showPrompts(viewer.overlay),
  );
}

function watchEvidence(viewer) {
  store.watch(
    (state) => [state.evidence, state.currentId, currentItem(state)?.token, currentItem(state)?.evidence],
    (state) => {
      const item = currentItem(state);
      const map = state.evidence ? item?.evidence : null;
      if (state.evidence && item?.token && item.evidence === undefined) loadEvidence(item.id);
      viewer.evidence.hidden = !map;
      if (map) paintEvidence(viewer.evidence, map);
    },
  );
  store.watch(
    (state) => [state.evidenceOpacity],
    (state) => setVariable(viewer.evidence, "--opacity", state.evidenceOpacity),
  );
}

function watchWork(viewer) {
  store.watch(
    (state) => [currentItem(state)?.status, currentItem(state)?.working, state.currentId],
    (state) => {
      const item = currentItem(state);
      viewer.node.classList.toggle("scanning", item?.status === "sending" || item?.status === "waiting");
      viewer.node.classList.toggle("working", Boolean(item?.working));
      viewer.node.setAttribute("aria-busy", String(Boolean(item?.working) || item?.status === "sending"));
      if (item?.status === "sending") viewer.say(el("p.pill", {}, TEXT.viewer.analysing));
      else if (item?.working) viewer.say(el("p.pill", {}, TEXT.viewer.working));
      else if (item?.status === "failed" && viewer.picture.hidden) viewer.say(el("p.pill", {}, TEXT.viewer.noPicture));
      else viewer.say();
    },
  );
}

function layers(viewer) {
  const zoom = el("output.zoom", { "aria-label": TEXT.viewer.fit });
  viewer.onView = (scale) => (zoom.textContent = `${Math.round(scale * 100)} %`);
  const plain = (name, text, click) =>
    el("button.plain.icon-only", { type: "button", title: text, "aria-label": text, on: { click } }, icon(name));
  const zooming = el(
    "div.zooming",
    {},
    plain("minus", TEXT.viewer.zoomOut, () => viewer.zoom(-1)),
    zoom,
    plain("add", TEXT.viewer.zoomIn, () => viewer.zoom(1)),
    plain("fit", TEXT.viewer.fit, () => viewer.fit()),
  );
  const toggles = [toggle("outline", TEXT.viewer.outline), toggle("evidence", TEXT.viewer.evidence)];
  return el("div.layers", {}, zooming, toggles, evidenceControl());
}

function toggle(key, text) {
  const button = el("button.toggle", { type: "button", id: `show-${key}` }, icon(key), el("span", {}, text));
  button.addEventListener("click", () => store.set({ [key]: !store.get()[key] }));
  store.watch(
    (state) => [state[key], canDraw(state)],
    (state) => {
      button.setAttribute("aria-pressed", String(state[key]));
      button.disabled = !canDraw(state);
    },
  );
  return button;
}

function evidenceControl() {
  const slider = el("input", { type: "range", min: "0", max: "1", step: "0.05", "aria-label": TEXT.viewer.opacity });
  slider.value = String(store.get().evidenceOpacity);
  slider.addEventListener("input", () => store.set({ evidenceOpacity: Number(slider.value) }));
  const ramp = el("i.ramp", { "aria-hidden": "true" });
  const legend = el("span.legend", {}, TEXT.viewer.legendFor, ramp, TEXT.viewer.legendAgainst);
  const share = el("p.share");
  const node = el("div.evidence-control", { hidden: true }, slider, legend, share);
  store.watch(
    (state) => [state.evidence, canDraw(state), currentItem(state)?.evidence],
    (state) => {
      const map = currentItem(state)?.evidence;
      node.hidden = !state.evidence || !canDraw(state);
      slider.hidden = legend.hidden = !map;
      const known = map?.share_inside ?? null;
      fill(share, map === null ? TEXT.viewer.noEvidence : known === null ? "" : TEXT.viewer.share(percent(known)));
    },
  );
  return node;
}
