"use strict";
// Sorts, filters and marks the table of a cohort.

const body = document.querySelector("#pairs tbody");
const rows = Array.from(body.rows);
const heads = Array.from(document.querySelectorAll("button.sort"));
const KEY = `dlir-tf marks ${location.pathname}`;
let marks = {};

/** A row's values in the order of the heads that sort. */
function valuesOf(row) {
  row.sortable ??= Array.from(row.querySelectorAll("[data-value]"), (cell) => cell.dataset.value);
  return row.sortable;
}

function sortBy(column, descending) {
  const isText = column === 0;
  const sign = descending ? -1 : 1;
  const collator = new Intl.Collator(undefined, { numeric: true });
  const sorted = rows.slice().sort((a, b) => {
    const [one, other] = [valuesOf(a)[column], valuesOf(b)[column]];
    if (isText) return sign * collator.compare(one, other);
    if (one === "" || other === "") return (one === "") - (other === ""); // unknown ones last
    return sign * (Number(one) - Number(other));
  });
  body.replaceChildren(...sorted);
}

function sortPressed(button) {
  const head = button.closest("th");
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of heads) other.closest("th").setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  sortBy(Number(button.dataset.column), descending);
}

function filter() {
  const words = document.getElementById("search").value.toLowerCase();
  const verdict = document.getElementById("verdict").value;
  const marked = document.getElementById("marked").value;
  let count = 0;
  for (const row of rows) {
    row.text ??= `${row.dataset.id} ${row.querySelector(".why").textContent}`.toLowerCase();
    const mark = marks[row.dataset.id] || "none";
    const fits = row.text.includes(words) && (!verdict || row.dataset.verdict === verdict) && (!marked || mark === marked);
    row.hidden = !fits;
    count += fits;
  }
  document.getElementById("shown").textContent = `${count} of ${rows.length} shown`;
}

function mark(row, which) {
  const id = row.dataset.id;
  if (marks[id] === which) delete marks[id];
  else marks[id] = which;
  showMarks(row);
  try {
    localStorage.setItem(KEY, JSON.stringify(marks));
  } catch {
    // A browser may keep nothing for files: then marks last as long as the page is open.
  }
}

function showMarks(row) {
  for (const button of row.querySelectorAll("button.mark")) {
    button.setAttribute("aria-pressed", String(marks[row.dataset.id] === button.dataset.mark));
  }
}

/** Text of a CSV cell; a sheet must not take it for a formula. */
function cell(text) {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function csv() {
  const lines = rows.map((row) => [row.dataset.id, row.dataset.verdict, marks[row.dataset.id] || ""].map(cell).join(","));
  return ["id,verdict,mark", ...lines, ""].join("\r\n");
}

function download() {
  const url = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: "marks.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

try {
  marks = JSON.parse(localStorage.getItem(KEY)) || {};
} catch {
  marks = {};
}
rows.forEach(showMarks);
for (const button of heads) button.addEventListener("click", () => sortPressed(button));
body.addEventListener("click", (event) => {
  const button = event.target.closest("button.mark");
  if (button) mark(button.closest("tr"), button.dataset.mark);
});
document.getElementById("search").addEventListener("input", filter);
for (const name of ["verdict", "marked"]) document.getElementById(name).addEventListener("change", filter);
document.getElementById("download").addEventListener("click", download);
filter();
document.body.dataset.ready = "yes";
