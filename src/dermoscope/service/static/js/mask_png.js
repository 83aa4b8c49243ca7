// Masks as the server takes them: PNG of the image's own size, 0 outside and 255 inside.

/** The mask inside closed outlines of `[x, y]` pixel positions. */
export async function pngOfOutline(outline, width, height) {
  const { canvas, context } = blank(width, height);
  context.fillStyle = "#fff";
  for (const polygon of outline) {
    const path = new Path2D();
    polygon.forEach(([x, y], index) => (index ? path.lineTo(x + 0.5, y + 0.5) : path.moveTo(x + 0.5, y + 0.5)));
    path.closePath();
    context.fill(path);
  }
  harden(context, 0, 0, width, height);
  return pngOf(canvas);
}

/**
 * A mask with one stroke of the brush.
 * @param {Blob|null} before The mask before it as PNG; null where there is none.
 * @param {{points: Array, diameter: number, erase: boolean}} stroke In pixels of the image.
 */
export async function pngWithStroke(before, width, height, { points, diameter, erase }) {
  const { canvas, context } = blank(width, height);
  if (before) {
    const bitmap = await createImageBitmap(before);
    context.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
  }
  context.strokeStyle = erase ? "#000" : "#fff";
  context.lineWidth = diameter;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
  context.stroke();
  const [left, top, right, bottom] = bounds(points, diameter, width, height);
  if (right > left && bottom > top) harden(context, left, top, right - left, bottom - top);
  return pngOf(canvas);
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  return { canvas, context };
}

// A canvas draws soft edges, a mask has none.
function harden(context, left, top, width, height) {
  const pixels = context.getImageData(left, top, width, height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const value = data[at] >= 128 ? 255 : 0;
    data[at] = data[at + 1] = data[at + 2] = value;
    data[at + 3] = 255;
  }
  context.putImageData(pixels, left, top);
}

function bounds(points, diameter, width, height) {
  const reach = diameter / 2 + 2;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return [
    Math.max(0, Math.floor(Math.min(...xs) - reach)),
    Math.max(0, Math.floor(Math.min(...ys) - reach)),
    Math.min(width, Math.ceil(Math.max(...xs) + reach)),
    Math.min(height, Math.ceil(Math.max(...ys) + reach)),
  ];
}

function pngOf(canvas) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The mask could not be made."))), "image/png");
  });
}
