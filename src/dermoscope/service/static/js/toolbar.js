// The tools above the stage: which one is in use, undo and reset, size of the brush.

import { el, fill } from "./dom.js";
import { icon } from "./icons.js";
import { canDraw } from "./prompts.js";
import { reset, undo } from "./session.js";
import { currentItem, store } from "./state.js";
import { TEXT } from "./strings.js";

export const TOOLS = ["move", "lesion", "background", "box", "paint", "erase"];

export function toolbar() {
  const tools = el("div.segments", { role: "group", "aria-label": TEXT.tools.label });
  const steps = el("div.segments.quiet");
  const brush = brushSize();
  const buttons = TOOLS.map((tool) => toolButton(tool));
  fill(tools, buttons);

  const takeBack = textButton("undo", TEXT.tools.undo, () => undo(currentItem().id));
  const startOver = textButton("reset", TEXT.tools.reset, () => reset(currentItem().id));
  fill(steps, takeBack, startOver);

  store.watch(
    (state) => [state.tool, canDraw(state), currentItem(state)?.segmentation],
    (state) => {
      const ready = canDraw(state);
      buttons.forEach((button, index) => {
        button.disabled = !ready && TOOLS[index] !== "move";
        button.setAttribute("aria-pressed", String((ready ? state.tool : "move") === TOOLS[index]));
      });
      brush.hidden = !ready || !["paint", "erase"].includes(state.tool);
      takeBack.disabled = startOver.disabled = !ready || !currentItem(state).segmentation?.can_undo;
    },
  );
  return el("div.toolbar", {}, tools, brush, steps);
}

function toolButton(tool) {
  const { name, hint, key } = TEXT.tools[tool];
  return el(
    `button.tool.tool-${tool}`,
    { type: "button", title: `${hint} (${key})`, on: { click: () => store.set({ tool }) } },
    icon(tool),
    el("span", {}, name),
  );
}

function textButton(name, text, click) {
  return el("button.tool", { type: "button", id: name, on: { click } }, icon(name), el("span", {}, text));
}

function brushSize() {
  const slider = el("input", { type: "range", min: "6", max: "96", step: "2", value: String(store.get().brush) });
  slider.addEventListener("input", () => store.set({ brush: Number(slider.value) }));
  store.watch((state) => [state.brush], (state) => (slider.value = String(state.brush)));
  return el("label.brush", { hidden: true }, el("span", {}, TEXT.tools.brush), slider);
}
