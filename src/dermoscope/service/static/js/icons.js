// Line icons, 20 × 20, drawn for this page.

import { svg } from "./dom.js";

const PATHS = {
  add: "M10 4v12M4 10h12",
  arrowLeft: "M12 4l-6 6 6 6",
  background: "M6.5 10h7M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15z",
  box: "M3.5 5.5v-2h2M14.5 3.5h2v2M16.5 14.5v2h-2M5.5 16.5h-2v-2M8.5 3.5h3M8.5 16.5h3M3.5 8.5v3M16.5 8.5v3",
  camera: "M3 6.5h3l1.3-2h5.4l1.3 2h3v9.5H3zM10 8.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6z",
  close: "M5 5l10 10M15 5L5 15",
  compare: "M3 4h5.5v12H3zM11.5 4H17v12h-5.5z",
  download: "M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13",
  erase: "M8.5 16.5h8M11.5 4l5 5-6.5 6.5H7L3.5 12z M7.5 8l5 5",
  evidence: "M10 2.5c3 3.2 5 5.8 5 8.8a5 5 0 01-10 0c0-1.8.8-3.2 2-4.6.5 1.3 1.2 2 2 2.3-.4-2.3-.2-4.3 1-6.5z",
  fit: "M3.5 7.5v-4h4M12.5 3.5h4v4M16.5 12.5v4h-4M7.5 16.5h-4v-4",
  history: "M3.5 10a6.5 6.5 0 106.5-6.5c-2.3 0-4.2 1-5.4 2.7M4 3v3.5h3.5M10 6.5V10l2.5 1.8",
  image: "M3 4h14v12H3zM3 13.5l4-4 3.5 3.5 2.5-2.5 4 4M12.8 7.5h.01",
  info: "M10 9v5M10 6.3v.01M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15z",
  keyboard: "M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.7h7",
  lesion: "M10 6.5v7M6.5 10h7M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15z",
  minus: "M4 10h12",
  moon: "M16 12.3A6.8 6.8 0 117.7 4 5.5 5.5 0 0016 12.3z",
  move: "M10 2.5v15M2.5 10h15M8 4.5l2-2 2 2M8 15.5l2 2 2-2M4.5 8l-2 2 2 2M15.5 8l2 2-2 2",
  offline: "M3 3l14 14M10 16h.01M7.2 12.8a4 4 0 014.3-.8M4.5 9.8a8 8 0 013-1.8M10.5 7.5c2 .1 3.7.9 5 2.3",
  outline: "M6 4.5c3-2 8-1.5 10 2s1 8-2.5 9.5-8 .5-9.5-3 .2-7.2 2-8.5z",
  paint: "M12 3l5 5-6 6H8l-2-2V9zM6 13l-2.5 3.5h5L10 14.5",
  print: "M6 7.5v-4h8v4M6 14H3.5V7.5h13V14H14M6 11.5h8v5H6z",
  redo: "M16 4v4.5h-4.5M15.5 8.3A6.3 6.3 0 1016.3 12",
  reset: "M4 4v4.5h4.5M4.5 8.3A6.3 6.3 0 113.7 12",
  search: "M9 3.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM13.2 13.2l3.8 3.8",
  sun: "M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  trash: "M4 5.5h12M8 5V3.5h4V5M5.5 5.5l.8 11h7.4l.8-11M8.5 8.5v5M11.5 8.5v5",
  undo: "M7.5 4.5L4 8l3.5 3.5M4 8h7.5a4.5 4.5 0 010 9H9",
  warning: "M10 3L2.5 16.5h15zM10 8v4M10 14.2v.01",
};

/** An icon for beside or instead of a text; never read out. */
export function icon(name) {
  const path = svg("path", { d: PATHS[name] });
  return svg("svg.icon", { viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" }, path);
}
