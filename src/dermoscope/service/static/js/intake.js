// Ways in for images: drop, choose, paste, camera.

import { takePhoto } from "./camera.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { enqueue } from "./queue.js";
import { scaleField } from "./scale.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";

// Browsers know no type for DICOM, and archives often leave its files without an ending.
const TYPES = "image/*,.tif,.tiff,.bmp,.dcm,.dicom,application/dicom";

/** Takes files that are dropped anywhere on the page, or pasted. */
export function listenForFiles() {
  const root = document.documentElement;
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const drag = (change) => {
    depth = Math.max(0, depth + change);
    root.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => hasFiles(event) && drag(1));
  addEventListener("dragleave", (event) => hasFiles(event) && drag(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    drag(-depth);
    enqueue(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea") || !event.clipboardData.files.length) return;
    event.preventDefault();
    enqueue(event.clipboardData.files, TEXT.queue.pasted);
  });
}

/** A button that opens the chooser for files. */
export function chooseButton(text, look = "primary") {
  const input = el("input", { type: "file", multiple: true, accept: TYPES, hidden: true });
  input.addEventListener("change", () => {
    enqueue(input.files);
    input.value = "";
  });
  const button = el(`button.choose.${look}`, { type: "button", on: { click: () => input.click() } }, icon("add"), text);
  return el("span.with-input", {}, button, input);
}

/** A button for the camera: the phone's own, or a picture of the one on the desk. */
export function cameraButton() {
  const input = el("input", { type: "file", accept: "image/*", capture: "environment", hidden: true });
  input.addEventListener("change", () => {
    enqueue(input.files, TEXT.queue.photo);
    input.value = "";
  });
  const click = () => {
    const handheld = matchMedia("(pointer: coarse)").matches;
    if (handheld || !navigator.mediaDevices?.getUserMedia) input.click();
    else takePhoto((file) => enqueue([file], TEXT.queue.photo));
  };
  const button = el("button.camera", { type: "button", on: { click } }, icon("camera"), TEXT.intake.camera);
  return el("span.with-input", {}, button, input);
}

/** What the page shows before there is an image. */
export function welcome() {
  const words = TEXT.intake;
  const formats = el("p.fine");
  store.watch(
    (state) => [state.health],
    (state) => (formats.textContent = words.formats(Boolean(state.health?.dicom))),
  );
  const points = words.points.map(([title, text]) => el("li", {}, el("h2", {}, title), el("p", {}, text)));
  return el(
    "section.welcome",
    { "aria-labelledby": "welcome-title" },
    el("h1", { id: "welcome-title" }, words.title),
    el("p.lead", {}, words.lead),
    el(
      "div.dropzone",
      {},
      el("div.aperture", { "aria-hidden": "true" }, icon("image")),
      el("p.big", {}, words.drop),
      el("p.quiet", {}, words.paste),
      el("div.actions", {}, chooseButton(words.choose), cameraButton()),
      formats,
      scaleField("scale"),
    ),
    el("ul.points", {}, points),
  );
}
