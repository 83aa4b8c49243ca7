// What the tools do to the image: clicks on lesion or skin, a box, and the brush that paints or erases.

import * as api from "./api.js";
import { announce } from "./live.js";
import { pngWithStroke } from "./mask_png.js";
import { paint, refine } from "./session.js";
import { currentItem, store } from "./state.js";
import { TEXT } from "./strings.js";

const LABELS = { lesion: 1, background: 0 };
const BRUSHES = ["paint", "erase"];
const SMALLEST_BOX = 3;

/** The hand that works on the stage of a viewer; see `Viewer`. */
export function createHand(viewerOf) {
  let stroke = null; // { points, diameter, erase }
  let corner = null; // the first corner of a box
  let box = null;

  const tool = () => (canDraw() ? store.get().tool : "move");
  const overlay = () => viewerOf().overlay;
  const redraw = () => showPrompts(overlay());

  const startBox = (point) => {
    corner = point;
    box = null;
  };
  const dragBox = ({ x, y }) => {
    box = [Math.min(corner.x, x), Math.min(corner.y, y), Math.max(corner.x, x), Math.max(corner.y, y)].map(Math.round);
    overlay().showBox(box);
  };
  const endBox = () => {
    const drawn = box;
    corner = box = null;
    if (drawn && drawn[2] - drawn[0] >= SMALLEST_BOX && drawn[3] - drawn[1] >= SMALLEST_BOX) {
      refine(currentItem().id, [], drawn);
    } else redraw();
  };
  const startStroke = ({ x, y }) => {
    stroke = { points: [[x, y]], diameter: store.get().brush / viewerOf().scale, erase: tool() === "erase" };
    overlay().showStroke(stroke.points, stroke.diameter, stroke.erase);
  };
  const endStroke = () => {
    const { id, analysis } = currentItem();
    const drawn = stroke;
    stroke = null;
    paint(id, async (token) => pngWithStroke(await presentMask(token), analysis.width, analysis.height, drawn));
  };
  const tap = ({ x, y }) => refine(currentItem().id, [[tenth(x - 0.5), tenth(y - 0.5), LABELS[tool()]]]);

  return {
    drags: () => tool() === "box" || BRUSHES.includes(tool()),
    pans: () => tool() === "move",
    tap,
    start: (point) => (tool() === "box" ? startBox(point) : startStroke(point)),
    drag({ x, y }) {
      if (corner) dragBox({ x, y });
      if (!stroke) return;
      stroke.points.push([x, y]);
      overlay().showStroke(stroke.points, stroke.diameter, stroke.erase);
    },
    end() {
      if (corner) endBox();
      else if (stroke) endStroke();
    },
    cancel() {
      stroke = corner = box = null;
      redraw();
    },
    moved(cross) {
      if (corner) dragBox(cross);
      announce(TEXT.announce.point(Math.round(cross.x), Math.round(cross.y)));
    },
    act(cross) {
      if (tool() in LABELS) tap(cross);
      else if (tool() !== "box") {
        startStroke(cross);
        endStroke();
      } else if (corner) endBox();
      else {
        startBox(cross);
        announce(TEXT.announce.corner);
      }
    },
  };
}

/** Whether the image can be corrected now. */
export function canDraw(state = store.get()) {
  return currentItem(state)?.status === "done";
}

/** Draws the clicks and the box that made the mask. */
export function showPrompts(overlay) {
  const { segmentation, pending } = currentItem() ?? {};
  const points = [...(segmentation?.prompts?.points ?? []), ...(pending?.points ?? [])];
  overlay.showPrompts(points, pending?.box ?? segmentation?.prompts?.box ?? null);
}

const tenth = (value) => Math.round(value * 10) / 10;

async function presentMask(token) {
  try {
    return await api.maskBlob(token);
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 404 && error.code !== "image-expired") return null; // no mask
    throw error;
  }
}
