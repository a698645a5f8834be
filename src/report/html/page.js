"use strict";
(() => {
  // Tables sort by a column: numbers largest first, words from A.
  const value = (row, column) => row.cells[column]?.textContent.trim() ?? "";
  const units = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const number = (text) => {
    const found = /^([\d.\s]+?)\s*([KMGT]?i?B)?$/.exec(text);
    return found ? Number(found[1].replace(/\s/g, "")) * (units[found[2]] ?? 1) : NaN;
  };
  const sort = (head, column) => {
    const [body] = head.closest("table").tBodies;
    const rows = [...body.rows].filter((row) => row.cells.length > column && row.cells[0].colSpan === 1);
    const others = [...body.rows].filter((row) => !rows.includes(row));
    const numeric = rows.some((row) => !Number.isNaN(number(value(row, column))));
    const initial = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const direction = head.ariaSort === initial ? other : initial;
    const order = (left, right) =>
      numeric
        ? (number(left) || 0) - (number(right) || 0)
        : left.localeCompare(right, undefined, { numeric: true });
    rows.sort((left, right) => order(value(left, column), value(right, column)));
    if (direction === "descending") rows.reverse();
    for (const sibling of head.parentElement.cells) sibling.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    body.replaceChildren(...rows, ...others);
  };
  for (const head of document.querySelectorAll("thead th")) {
    if (!head.textContent.trim()) continue;
    const button = document.createElement("button");
    button.className = "sort";
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, head.cellIndex));
  }

  // The address of a folded part opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      for (let part = target; part; part = part.parentElement.closest("details")) part.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  const form = document.getElementById("filters");
  if (!form) return;
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const problems = [...document.querySelectorAll(".problem")].map((element) => ({
    element,
    severity: element.dataset.severity,
    text: element.textContent.toLowerCase(),
  }));
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const problem of problems) {
      const fits = wanted.has(problem.severity) && words.every((word) => problem.text.includes(word));
      problem.element.hidden = !fits;
      if (fits) shown += 1;
    }
    found.textContent = shown === problems.length ? `${shown} problems` : `${shown} of ${problems.length} problems`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
  });
  apply();
})();
