// What is drawn over the image: outline, clicks, box, stroke of the brush, and the cross of the keyboard.

import { fill, svg } from "./dom.js";

/** A layer of the size of the stage that follows its view. */
export class Overlay {
  constructor() {
    this.outline = svg("g.outline");
    this.draft = svg("g.draft");
    this.marks = svg("g.marks");
    const strokes = [svg("path.casing", { d: CROSS }), svg("path.line", { d: CROSS })];
    this.cross = svg("g.cross", { visibility: "hidden" }, strokes);
    this.scaled = svg("g", {}, this.outline, this.draft, this.marks, this.cross);
    this.node = svg("svg.overlay", { "aria-hidden": "true" }, this.scaled);
    this.scale = 1;
  }

  /** Moves with the image; marks keep their size on the screen. */
  follow({ scale, x, y }) {
    this.scale = scale;
    this.scaled.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    for (const mark of [...this.marks.children, this.cross]) place(mark, scale);
  }

  /** Closed outlines of `[x, y]` pixel positions. */
  showOutline(polygons) {
    const d = polygons.map((points) => `M${points.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z`).join("");
    fill(this.outline, d && [svg("path.casing", { d }), svg("path.line", { d })]);
  }

  /** Clicks `[x, y, label]` and a box, as they were sent. */
  showPrompts(points, box) {
    const marks = points.map(([x, y, label]) => click(x + 0.5, y + 0.5, label === 1));
    fill(this.marks, marks);
    for (const mark of marks) place(mark, this.scale);
    this.showBox(box);
  }

  /** A box `[left, top, right, bottom]`, or none. */
  showBox(box) {
    if (!box) return fill(this.draft);
    const [left, top, right, bottom] = box;
    const frame = { x: left, y: top, width: right - left, height: bottom - top };
    return fill(this.draft, svg("rect.casing", frame), svg("rect.line.dashed", frame));
  }

  /** A stroke of the brush while it is being drawn. */
  showStroke(points, diameter, erase) {
    const [first, ...rest] = points;
    const d = `M${first.join(" ")}${rest.length ? rest.map((point) => `L${point.join(" ")}`).join("") : "h0.01"}`;
    fill(this.draft, svg(`path.stroke${erase ? ".erase" : ""}`, { d, "stroke-width": diameter }));
  }

  /** The cross for the keyboard, or none. */
  showCross(point) {
    this.cross.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    this.cross.dataset.x = point.x;
    this.cross.dataset.y = point.y;
    place(this.cross, this.scale);
  }
}

const CROSS = "M-14 0H-4M4 0H14M0 -14V-4M0 4V14";

function click(x, y, positive) {
  const sign = positive ? "M-4 0H4M0 -4V4" : "M-4 0H4";
  return svg(
    `g.click${positive ? ".positive" : ".negative"}`,
    { "data-x": x, "data-y": y },
    svg("circle", { r: 9 }),
    svg("path", { d: sign }),
  );
}

function place(mark, scale) {
  if (mark.dataset.x === undefined) return;
  mark.setAttribute("transform", `translate(${mark.dataset.x} ${mark.dataset.y}) scale(${1 / scale})`);
}
