// The stage: shows an image with its layers, zooms and pans it, and hands taps and drags to the tool in use.

import { el, fill, setVariable } from "./dom.js";
import { Overlay } from "./overlay.js";
import { TEXT } from "./strings.js";
import { clamped, fitted, inside, isFitted, panned, toImage, zoomed } from "./viewport.js";

const STEP = 1.25;
const ARROW = 40;
const TAP = 6; // a press that moves less than this is a tap
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {object} hand What the tool in use does: `drags()` whether it draws while dragging, `pans()` whether arrow
 *   keys and drags move the image, `tap(point)`, `start(point)`, `drag(point)`, `end()`, `cancel()`, and for the
 *   keyboard `moved(cross)`, `act(cross)`.
 */
export class Viewer {
  constructor(hand) {
    this.hand = hand;
    this.image = null; // { width, height } of the original
    this.view = { scale: 1, x: 0, y: 0 };
    this.size = { width: 1, height: 1 };
    this.pointers = new Map();
    this.cross = null;
    this.onView = () => {};
    this.picture = el("img.picture", { alt: "", draggable: "false", hidden: true });
    this.evidence = el("canvas.evidence", { "aria-hidden": "true", hidden: true });
    this.overlay = new Overlay();
    this.cover = el("div.cover", { hidden: true });
    this.hint = el("p.hint", { id: "stage-hint" });
    this.node = el(
      "div.stage",
      { tabindex: "0", role: "application", "aria-describedby": "stage-hint", id: "stage" },
      el("div.plane", {}, this.picture, this.evidence),
      this.overlay.node,
      this.cover,
      this.hint,
    );
    this.#listen();
  }

  /** Shows another picture, fitted. The original may be larger than the picture that stands for it. */
  show(source, alt, size) {
    if (this.picture.getAttribute("src") !== source) this.picture.src = source;
    this.picture.alt = alt;
    this.picture.hidden = false;
    if (size) this.#resizeImage(size);
  }

  /** Shows nothing. */
  clear() {
    this.picture.hidden = true;
    this.picture.removeAttribute("src");
    this.image = null;
  }

  /** A message over the stage, or none. */
  say(...children) {
    this.cover.hidden = children.length === 0;
    fill(this.cover, ...children);
  }

  fit() {
    if (this.image) this.#look(fitted(this.size, this.image));
  }

  zoom(direction, at = { x: this.size.width / 2, y: this.size.height / 2 }) {
    if (this.image) this.#look(zoomed(this.view, STEP ** direction, at, this.size, this.image));
  }

  /** How large a pixel of the image is on the screen. */
  get scale() {
    return this.view.scale;
  }

  /** Adapts to the tool in use. */
  refresh() {
    const pans = this.hand.pans();
    this.node.setAttribute("aria-label", pans ? TEXT.viewer.label : TEXT.viewer.labelTool);
    this.node.dataset.pans = pans;
    if (pans) this.#moveCross(null);
    this.#touchAction();
  }

  #resizeImage({ width, height }) {
    if (this.image?.width === width && this.image?.height === height) return;
    this.image = { width, height };
    for (const layer of [this.picture, this.evidence]) {
      setVariable(layer, "--width", `${width}px`);
      setVariable(layer, "--height", `${height}px`);
    }
    this.#moveCross(null);
    this.fit();
  }

  #look(view) {
    this.view = view;
    for (const layer of [this.picture, this.evidence]) {
      layer.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    }
    this.picture.classList.toggle("pixels", view.scale > 4);
    this.overlay.follow(view);
    this.#touchAction();
    this.onView(view.scale);
  }

  // A finger on an image that is seen whole scrolls the page, unless a tool draws with it.
  #touchAction() {
    const still = !this.image || isFitted(this.view, this.size, this.image);
    this.node.dataset.touch = still && !this.hand.drags() ? "scroll" : "none";
  }

  #listen() {
    const { node } = this;
    this.picture.addEventListener("load", () => {
      if (!this.image) this.#resizeImage({ width: this.picture.naturalWidth, height: this.picture.naturalHeight });
    });
    new ResizeObserver(([entry]) => this.#resized(entry.contentRect)).observe(node);
    node.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    node.addEventListener("pointerdown", (event) => this.#down(event));
    node.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) node.addEventListener(type, (event) => this.#up(event));
    node.addEventListener("dblclick", (event) => this.hand.pans() && this.zoom(3, this.#at(event)));
    node.addEventListener("keydown", (event) => this.#key(event));
    node.addEventListener("blur", () => this.#moveCross(null));
  }

  #resized({ width, height }) {
    const whole = !this.image || isFitted(this.view, this.size, this.image);
    this.size = { width, height };
    if (!this.image) return;
    if (whole) this.fit();
    else this.#look(panned(this.view, 0, 0, this.size, this.image));
  }

  #at(event) {
    const { left, top } = this.node.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #wheel(event) {
    if (!this.image) return;
    const out = event.deltaY > 0;
    if (out && isFitted(this.view, this.size, this.image)) return; // let the page scroll
    event.preventDefault();
    const notches = event.deltaMode === 0 ? event.deltaY / 100 : event.deltaY / 3;
    this.zoom(-Math.max(-3, Math.min(3, notches)), this.#at(event));
  }

  #down(event) {
    if (!this.image || event.target.closest("button, a")) return;
    const at = this.#at(event);
    this.pointers.set(event.pointerId, at);
    this.node.setPointerCapture(event.pointerId);
    if (this.pointers.size === 2) {
      this.hand.cancel();
      this.mode = "pinch";
    } else if (this.pointers.size === 1) {
      this.pressed = at;
      this.mode = event.button === 0 && this.hand.drags() ? "draw" : "press";
      if (this.mode === "draw") this.hand.start(toImage(this.view, at));
    }
  }

  #move(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const before = this.pointers.get(event.pointerId);
    const at = this.#at(event);
    if (this.mode === "pinch") this.#pinch(event.pointerId, at);
    this.pointers.set(event.pointerId, at);
    if (this.mode === "press" && Math.hypot(at.x - this.pressed.x, at.y - this.pressed.y) > TAP) this.mode = "pan";
    if (this.mode === "pan") this.#look(panned(this.view, at.x - before.x, at.y - before.y, this.size, this.image));
    if (this.mode === "draw") this.hand.drag(clamped(toImage(this.view, at), this.image));
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const given = event.type === "pointerup" && event.button === 0;
    if (this.mode === "draw") given ? this.hand.end() : this.hand.cancel();
    if (this.mode === "press" && given && !this.hand.pans()) {
      const point = toImage(this.view, this.#at(event));
      if (inside(point, this.image)) this.hand.tap(point);
    }
    if (!this.pointers.size) this.mode = null;
    else if (this.mode === "pinch") this.mode = "pan";
  }

  #pinch(id, at) {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, point]) => point);
    const before = this.pointers.get(id);
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    const was = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    const apart = ({ x, y }) => Math.max(1, Math.hypot(x - other.x, y - other.y));
    const moved = panned(this.view, middle.x - was.x, middle.y - was.y, this.size, this.image);
    this.#look(zoomed(moved, apart(at) / apart(before), middle, this.size, this.image));
  }

  #key(event) {
    if (!this.image || event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.#arrow(arrow, event.shiftKey ? 4 : 1);
    else if (event.key === "+" || event.key === "=") this.zoom(1);
    else if (event.key === "-") this.zoom(-1);
    else if (event.key === "0") this.fit();
    else if ((event.key === "Enter" || event.key === " ") && !this.hand.pans()) this.#act();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #arrow([dx, dy], times) {
    if (this.hand.pans()) {
      this.#look(panned(this.view, -dx * ARROW * times, -dy * ARROW * times, this.size, this.image));
      return;
    }
    const step = (8 * times) / this.view.scale;
    const { x, y } = this.cross ?? this.#middle();
    const last = { width: this.image.width - 1, height: this.image.height - 1 };
    this.#moveCross(clamped({ x: x + dx * step, y: y + dy * step }, last));
    this.hand.moved(this.cross);
  }

  #act() {
    if (!this.cross) this.#moveCross(this.#middle());
    this.hand.act(this.cross);
  }

  #middle() {
    return clamped(toImage(this.view, { x: this.size.width / 2, y: this.size.height / 2 }), this.image);
  }

  #moveCross(point) {
    this.cross = point;
    this.overlay.showCross(point);
  }
}
