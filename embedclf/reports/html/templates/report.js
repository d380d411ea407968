"use strict";

// A click on a column's title sorts its table; a second click reverses the order.
const compare = new Intl.Collator(undefined, { numeric: true }).compare;

function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
}

function compareValues(one, other) {
  // Only for filled cells: an empty one would count as 0.
  return isNaN(one) || isNaN(other) ? compare(one, other) : one - other;
}

function sortBy(heading) {
  const table = heading.closest("table"), column = heading.cellIndex;
  const order = heading.ariaSort === "ascending" ? "descending" : "ascending";
  const sign = order === "ascending" ? 1 : -1;
  const filled = [], empty = []; // rows without a value stay at the end
  for (const row of table.tBodies[0].rows) (valueOf(row, column) === "" ? empty : filled).push(row);
  filled.sort((one, other) => sign * compareValues(valueOf(one, column), valueOf(other, column)));
  table.tBodies[0].append(...filled, ...empty);
  for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
  heading.ariaSort = order;
}

for (const heading of document.querySelectorAll("table.sortable thead th")) {
  if (heading.textContent === "") continue;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  button.addEventListener("click", () => sortBy(heading));
  heading.append(button);
}

// The contents are always open beside the sections, and folded above them.
const isWide = matchMedia("(min-width: 64rem)");
const contents = document.querySelector(".contents details");
function foldContents() { contents.open = isWide.matches; }
isWide.addEventListener("change", foldContents);
foldContents();

// A link to a folded section opens it.
function openTarget() {
  const section = document.getElementById(location.hash.slice(1));
  const details = section?.querySelector(":scope > details");
  if (!details) return;
  details.open = true;
  section.scrollIntoView(); // again: the page is longer now
}
addEventListener("hashchange", openTarget);
openTarget();

// The contents mark the section that is in view.
const links = new Map([...document.querySelectorAll(".contents a")].map(
  link => [link.hash.slice(1), link]));
const observer = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "-15% 0% -80% 0%" });
for (const id of links.keys()) observer.observe(document.getElementById(id));
