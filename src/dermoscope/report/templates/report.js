"use strict";
(() => {
  const table = document.getElementById("results");
  if (!table) return;
  const byId = (id) => document.getElementById(id);
  const perPage = 100;
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const rows = [...body.rows].map((element) => ({
    element,
    keys: [...element.cells].map((cell) => cell.dataset.key ?? ""),
    text: `${element.cells[1].dataset.key}\n${element.dataset.path}`.toLowerCase(),
    verdict: element.dataset.verdict,
    group: element.dataset.group,
    quality: element.dataset.quality.split("|"),
  }));
  const compareText = new Intl.Collator(undefined, { numeric: true }).compare;
  const controls = { search: byId("search"), verdict: byId("verdict"), group: byId("group"), quality: byId("quality") };
  let order = rows;
  let page = 0;

  const chosen = (control) => (control ? control.value : "");

  function matches(row) {
    const search = chosen(controls.search).trim().toLowerCase();
    const [verdict, group, quality] = [chosen(controls.verdict), chosen(controls.group), chosen(controls.quality)];
    return (
      (!search || row.text.includes(search)) &&
      (!verdict || row.verdict === verdict) &&
      (!group || row.group === group) &&
      (!quality || row.quality.includes(quality))
    );
  }

  function show() {
    const found = order.filter(matches);
    const pages = Math.max(1, Math.ceil(found.length / perPage));
    page = Math.min(page, pages - 1);
    const first = page * perPage;
    const place = new Map(found.map((row, index) => [row, index]));
    for (const row of rows) {
      const index = place.get(row);
      row.element.classList.toggle("filtered-out", index === undefined);
      row.element.classList.toggle("off-page", index !== undefined && (index < first || index >= first + perPage));
    }
    const last = Math.min(first + perPage, found.length);
    byId("status").textContent = !found.length
      ? "No image matches"
      : pages > 1
        ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${found.length.toLocaleString("en")}`
        : `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} images`;
    byId("pages").hidden = pages < 2;
    byId("page").textContent = `Page ${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
  }

  function sort(column, descending) {
    const isNumber = headers[column].dataset.sort === "number";
    const compare = isNumber ? (a, b) => Number(a) - Number(b) : compareText;
    const sign = descending ? -1 : 1;
    const isMissing = (key) => key === "" || (isNumber && Number(key) < 0);
    order = [...rows].sort((a, b) => {
      const [left, right] = [a.keys[column], b.keys[column]];
      // Rows without an answer stay at the end, whichever way the others run.
      return isMissing(left) - isMissing(right) || sign * compare(left, right);
    });
    body.append(...order.map((row) => row.element));
    for (const header of headers) header.removeAttribute("aria-sort");
    headers[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    page = 0;
    show();
  }

  headers.forEach((header, column) => {
    if (!header.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      sort(column, now ? now === "ascending" : header.dataset.sort === "number");
    });
    // On paper the title stands without its button, which browsers do not repeat on every page.
    header.dataset.title = header.textContent;
    header.replaceChildren(button);
  });
  for (const control of Object.values(controls)) {
    control?.addEventListener("input", () => { page = 0; show(); });
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").hidden = false;
  const turn = (step) => { page += step; show(); byId("images").scrollIntoView(); };
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  sort(headers.findIndex((header) => header.textContent === "Malignancy risk"), true);
})();
