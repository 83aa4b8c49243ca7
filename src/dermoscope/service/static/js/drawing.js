// A picture with its outline, as one drawing of the image's own size: for comparing and for paper.

import { svg } from "./dom.js";

/** A picture with its outline, as one drawing of the image's own size. */
export function drawing(source, alt, { width, height }, outline) {
  const d = (outline ?? []).map((points) => `M${points.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z`).join("");
  const lines = d ? [svg("path.casing", { d }), svg("path.line", { d })] : [];
  const image = svg("image", { href: source, width, height });
  const frame = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt };
  return svg("svg.drawing", frame, image, svg("g.outline", {}, lines));
}
