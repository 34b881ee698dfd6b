const table = document.getElementById("runs"), body = table.tBodies[0], atOnce = body.rows.length;
const input = document.getElementById("filter"), count = document.getElementById("count"), pager = document.getElementById("pager");
const rows = [...table.rows].slice(1).map(row => ({row, cells: [...row.cells].map(cell => cell.textContent.toLowerCase())}));
const known = new Set(rows.flatMap(({cells}) => cells));
let found = rows, first = 0;

const draw = () => {  // a browser lays out some hundreds of rows at once, ten thousand it does not
  body.replaceChildren(...found.slice(first, first + atOnce).map(({row}) => row));
  const last = Math.min(first + atOnce, found.length);
  count.textContent = `${found.length} of ${rows.length}` + (found.length > atOnce ? `, ${first + 1} to ${last} shown` : "");
  pager.hidden = found.length <= atOnce;
};
const [earlier, later] = pager.children;
earlier.addEventListener("click", () => { first = Math.max(0, first - atOnce); draw(); });
later.addEventListener("click", () => { if (first + atOnce < found.length) first += atOnce; draw(); });

table.querySelectorAll("th button").forEach((button, i) => button.addEventListener("click", () => {
  const head = button.parentElement, sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  table.querySelectorAll("th[aria-sort]").forEach(th => th.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const number = cell => cell === "" ? -Infinity : Number(cell);
  const text = new Intl.Collator("en").compare;  // ten times as fast as localeCompare
  const compare = rows.some(({cells}) => isNaN(number(cells[i]))) ? text : (a, b) => number(a) - number(b);
  rows.sort((a, b) => sign * (compare(a.cells[i], b.cells[i]) || 0));
  show();
}));

const show = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = rows.filter(({cells}) =>  // a word that is the whole of some cell means that cell
    words.every(word => known.has(word) ? cells.includes(word) : cells.join(" ").includes(word)));
  first = 0;
  draw();
};
const ask = () => {
  if (location.hash.startsWith("#q=")) input.value = decodeURIComponent(location.hash.slice(3));
  show();
};
input.addEventListener("input", show);
addEventListener("hashchange", ask);
ask();
