"use strict";
(() => {
  // The address of a folded file opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
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
