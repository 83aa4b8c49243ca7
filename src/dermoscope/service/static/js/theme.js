// Light, dark, or as the system says.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { TEXT } from "./strings.js";

const KEY = "dermoscope-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

/** A button that turns the page to the other theme and remembers it. */
export function themeSwitch() {
  const button = el("button.plain.icon-only", { type: "button", id: "theme" });
  const draw = () => {
    const text = isDark() ? TEXT.theme.toLight : TEXT.theme.toDark;
    button.setAttribute("aria-label", text);
    button.title = text;
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    draw();
  });
  system.addEventListener("change", draw);
  draw();
  return button;
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}
