// Zoom and pan as plain numbers: a point p of the image is seen at p × scale + (x, y) of the stage.

const MARGIN = 12;
const MOST = 24; // CSS pixels for one pixel of the image

/** The view that shows the whole image. */
export function fitted(stage, image) {
  const scale = Math.min((stage.width - 2 * MARGIN) / image.width, (stage.height - 2 * MARGIN) / image.height);
  return settled({ scale: Math.max(scale, 0.001), x: 0, y: 0 }, stage, image);
}

/** The view after zooming by a factor; the point of the stage stays where it is. */
export function zoomed(view, factor, point, stage, image) {
  const least = fitted(stage, image).scale;
  const scale = Math.min(Math.max(view.scale * factor, least), Math.max(MOST, least));
  const x = point.x - ((point.x - view.x) * scale) / view.scale;
  const y = point.y - ((point.y - view.y) * scale) / view.scale;
  return settled({ scale, x, y }, stage, image);
}

/** The view moved by so many pixels of the stage. */
export function panned(view, dx, dy, stage, image) {
  return settled({ ...view, x: view.x + dx, y: view.y + dy }, stage, image);
}

/** Where a point of the stage lies in the image; corners count from the outer edge of the first pixel. */
export const toImage = (view, point) => ({ x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale });

export const inside = ({ x, y }, { width, height }) => x >= 0 && y >= 0 && x < width && y < height;

export const clamped = ({ x, y }, { width, height }) => ({
  x: Math.min(Math.max(x, 0), width),
  y: Math.min(Math.max(y, 0), height),
});

/** Whether the whole image is seen. */
export const isFitted = (view, stage, image) => view.scale <= fitted(stage, image).scale * 1.001;

// An image that is smaller than the stage stands in its middle, a larger one leaves no gap.
function settled(view, stage, image) {
  return {
    scale: view.scale,
    x: settledAlong(view.x, view.scale * image.width, stage.width),
    y: settledAlong(view.y, view.scale * image.height, stage.height),
  };
}

function settledAlong(offset, length, room) {
  if (length + 2 * MARGIN <= room + 0.5) return (room - length) / 2;
  return Math.min(MARGIN, Math.max(room - length - MARGIN, offset));
}
