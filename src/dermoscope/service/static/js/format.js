// Numbers and dates as people read them.

const NARROW = "\u00a0";

/** A share in per cent, which never rounds to an impossible 0 or a certain 100. */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.001) return `<${NARROW}0.1${NARROW}%`;
  if (value < 1 && value > 0.999) return `>${NARROW}99.9${NARROW}%`;
  return `${(value * 100).toFixed(1)}${NARROW}%`;
}

/** Three digits that matter, without trailing zeros. */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return String(Number(value.toPrecision(size >= 1000 ? 6 : 3)));
}

/** A moment in the reader's own way of writing it. */
export function moment(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** A message that starts like a sentence and ends like one. */
export function sentence(text) {
  if (!text) return "";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** "expectedOverlap" and "expected_overlap" as "Expected overlap". */
export function humanised(key) {
  const words = key.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
