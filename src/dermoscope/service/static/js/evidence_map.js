// The evidence map as colours over the image: warm speaks for malignancy, blue against it.

const FOR = [255, 122, 26];
const AGAINST = [64, 150, 255];

/** Paints the map on a canvas, one pixel a cell; the browser smooths it when it is drawn large. */
export function paintEvidence(canvas, { rows, columns, values }) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  const strongest = Math.max(1e-9, ...values.flat().map(Math.abs));
  values.flat().forEach((value, at) => {
    const strength = Math.abs(value) / strongest;
    pixels.data.set([...(value > 0 ? FOR : AGAINST), Math.round(255 * strength ** 1.2)], at * 4);
  });
  context.putImageData(pixels, 0, 0);
}
