// The frame of the page: name, views, notice, and what is between them.

import { compareView } from "./compare.js";
import { el, fill, setVariable, svg } from "./dom.js";
import { historyView } from "./history.js";
import { icon } from "./icons.js";
import { welcome } from "./intake.js";
import { liveRegion } from "./live.js";
import { queueView } from "./queue_view.js";
import { reportSheet } from "./report.js";
import { resultPanel } from "./result/panel.js";
import { showShortcuts } from "./shortcuts.js";
import { stageView } from "./stage.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";
import { themeSwitch } from "./theme.js";
import { toastShelf } from "./toast.js";

/** Builds the page and returns its viewer. */
export function buildPage() {
  const { node: stage, viewer } = stageView();
  const work = el("div.work", {}, queueView(), stage, resultPanel());
  const views = { welcome: welcome(), work, history: historyView(), compare: compareView() };
  const main = el("main", { id: "main", tabindex: "-1" }, Object.values(views));
  store.watch(
    (state) => [state.view, state.items.length > 0],
    ({ view, items }) => {
      const shown = view === "work" && !items.length ? "welcome" : view;
      for (const [name, node] of Object.entries(views)) node.hidden = name !== shown;
      if (shown !== "work") scrollTo({ top: 0 });
      // What had the focus may be hidden now; the next Tab goes on in the new view.
      const { activeElement } = document;
      if (main.isConnected && !activeElement.checkVisibility()) main.focus({ preventScroll: true });
    },
  );
  const top = el("div.top", {}, header(), notice(), offlineBar());
  // What sticks below the top has to know how high it is.
  new ResizeObserver(() => setVariable(document.documentElement, "--top", `${top.offsetHeight}px`)).observe(top);
  document.body.replaceChildren(
    el("a.skip", { href: "#result" }, TEXT.skip),
    top,
    main,
    reportSheet(),
    toastShelf(),
    liveRegion(),
    el("div.dropcover", { "aria-hidden": "true" }, el("p", {}, TEXT.intake.dropNow)),
  );
  return viewer;
}

function header() {
  const text = TEXT.shortcuts.open;
  const attributes = { type: "button", id: "shortcuts-open", title: text, "aria-label": text };
  const shortcuts = el("button.plain.icon-only", attributes, icon("keyboard"));
  shortcuts.addEventListener("click", showShortcuts);
  return el(
    "header.bar",
    {},
    el("p.brand", {}, mark(), TEXT.product),
    el(
      "nav",
      { "aria-label": TEXT.nav.label },
      tab("work", TEXT.nav.work, "image"),
      tab("history", TEXT.nav.history, "history"),
    ),
    el("div.tools", {}, shortcuts, themeSwitch()),
  );
}

function tab(view, text, name) {
  const button = el("button.tab", { type: "button", on: { click: () => store.set({ view }) } }, icon(name), text);
  store.watch((state) => [state.view], (state) => {
    if (state.view === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  });
  return button;
}

function mark() {
  const lesion = svg("path", { d: "M11 11c3-2 6-2 9 0s3 5 2 8-5 4-8 3-6-2-6-5 1-5 3-6z" });
  const rim = svg("circle.rim", { cx: 16, cy: 16, r: 13.5 });
  return svg("svg.mark", { viewBox: "0 0 32 32", "aria-hidden": "true" }, rim, lesion);
}

function notice() {
  return el("p.notice", { role: "note" }, el("strong", {}, TEXT.notice.strong), " ", el("span", {}, TEXT.notice.rest));
}

function offlineBar() {
  const node = el("p.offline", { role: "alert", hidden: true });
  store.watch((state) => [state.online], ({ online }) => {
    node.hidden = online;
    const text = el("span", {}, el("strong", {}, `${TEXT.errors.offlineTitle}. `), TEXT.errors.offline);
    fill(node, !online && [icon("offline"), text]);
  });
  return node;
}
