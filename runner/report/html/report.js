"use strict";
// Pages, sorts and filters the table of connectors. Without it, the table shows every row.
document.documentElement.className = "js";

document.addEventListener("DOMContentLoaded", () => {
  const pageSize = 100;
  const printable = 2000;
  const find = (id) => document.getElementById(id);
  const table = find("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const outcomes = ["failed", "unknown", "not_attempted", "skipped", "changed", "unchanged"];
  const numeric = new Set([0, 6, 7, 8]);
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const texts = new Map();
  let found = rows;
  let page = 0;

  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (column === 1) return outcomes.indexOf(row.dataset.o);
    if (!numeric.has(column)) return cell.textContent;
    const value = cell.dataset.v ?? cell.textContent;
    return value === "" ? -1 : Number(value);
  };

  const show = (all) => {
    const last = Math.max(Math.ceil(found.length / pageSize) - 1, 0);
    page = Math.min(Math.max(page, 0), last);
    const first = page * pageSize;
    const shown = all ? found : found.slice(first, first + pageSize);
    body.replaceChildren(...shown);
    const number = (value) => value.toLocaleString("en");
    find("shown").textContent =
      found.length === 0
        ? "No connector matches"
        : `${number(first + 1)} to ${number(first + shown.length)} of ${number(found.length)}`;
    find("page").textContent = `Page ${number(page + 1)} of ${number(last + 1)}`;
    find("previous").disabled = page === 0;
    find("next").disabled = page === last;
    find("pager").hidden = last === 0;
  };

  const filter = () => {
    const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = find("outcome").value;
    found = rows.filter(
      (row) => (!outcome || row.dataset.o === outcome) && words.every((word) => textOf(row).includes(word)),
    );
    page = 0;
    show(false);
  };

  const sort = (column, heading) => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
    const compare = column === 1 || numeric.has(column) ? (a, b) => a - b : collator.compare;
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => sign * compare(keys.get(a), keys.get(b)));
    filter();
  };

  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(column, heading));
    heading.replaceChildren(button);
  });

  const turn = (step) => {
    page += step;
    show(false);
    find("connectors").scrollIntoView();
  };

  find("search").addEventListener("input", filter);
  find("outcome").addEventListener("change", filter);
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));
  window.addEventListener("beforeprint", () => show(found.length <= printable));
  window.addEventListener("afterprint", () => show(false));

  find("controls").hidden = rows.length < 2;
  filter();
  body.classList.add("ready");
});
