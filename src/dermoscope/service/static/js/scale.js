// The size of a pixel, where a person knows it: it holds for images that are opened from then on, and is kept nowhere.

import { el } from "./dom.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";

// What the server takes.
const LEAST = 0.0001;
const MOST = 10;

/** A field for the millimetres a pixel, folded away; `id` is that of its input. */
export function scaleField(id) {
  const words = TEXT.scale;
  const title = el("summary");
  const input = el("input", {
    type: "number",
    id,
    min: LEAST,
    max: MOST,
    step: "any",
    inputmode: "decimal",
    autocomplete: "off",
    "aria-describedby": `${id}-hint ${id}-invalid`,
  });
  const invalid = el("p.fine.invalid", { id: `${id}-invalid`, role: "status" });
  const tell = () => {
    input.setAttribute("aria-invalid", String(!input.validity.valid));
    invalid.textContent = input.validity.valid ? "" : words.invalid(LEAST, MOST);
  };
  input.addEventListener("input", () => {
    store.set({ mmPerPixel: input.value && input.validity.valid ? input.valueAsNumber : null });
  });
  input.addEventListener("change", tell); // not while somebody types the zeros of 0.02
  store.watch(
    (state) => [state.mmPerPixel],
    ({ mmPerPixel }) => {
      title.textContent = mmPerPixel === null ? words.title : words.titleSet(mmPerPixel);
      if (document.activeElement === input) return;
      input.value = mmPerPixel ?? "";
      tell();
    },
  );
  return el(
    "details.scale-field",
    {},
    title,
    el("label.field", {}, el("span", {}, words.label), input),
    invalid,
    el("p.fine", { id: `${id}-hint` }, words.hint),
  );
}
