// Builds elements. Text is always text: nothing in this page is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} name Tag, with classes after dots: "button.primary".
 * @param {object} attributes Attributes; `on` holds listeners, `false` and `null` leave an attribute out.
 * @param {...(Node|string|null|false|Array)} children Strings become text nodes, empty ones are left out.
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElement(tag), classes, attributes, children);
}

/** An SVG element; arguments as in `el`. */
export function svg(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

/** Puts new children in the place of the old. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

/** Sets a CSS custom property; style attributes are forbidden by the page's policy, this way is not. */
export function setVariable(node, name, value) {
  node.style.setProperty(name, String(value));
  return node;
}

function filled(node, classes, attributes, children) {
  if (classes.length) node.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (key === "value") node.value = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, String(value));
  }
  node.append(...present(children));
  return node;
}

function present(children) {
  return children.flat(Infinity).filter((child) => ![null, undefined, false, ""].includes(child));
}
