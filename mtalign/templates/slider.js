const box = document.getElementById("slider"), range = box.querySelector("input"), said = box.querySelector("output");
const tables = [...document.querySelectorAll("table.stop")];

range.addEventListener("input", () => {  // at 0 all doses are shown
  const dose = range.value > 0 ? tables[range.value - 1].dataset.dose : "";
  said.textContent = dose ? `dose ${dose}` : "all doses";
  range.setAttribute("aria-valuetext", said.textContent);
  tables.forEach(table => { table.hidden = table.dataset.dose !== dose; });
  document.querySelectorAll(".point[data-dose]").forEach(point => {
    point.classList.toggle("faded", dose !== "" && point.dataset.dose !== dose);
  });
});
box.hidden = false;
