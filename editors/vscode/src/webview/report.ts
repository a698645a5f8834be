// Runs in the page of the report: a click on a place, or Enter, tells the editor to go there.

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

interface Place {
  readonly line: number;
  /** A file of Python, or nothing for the text. */
  readonly file?: string;
}

const editor = acquireVsCodeApi();

function go(element: Element, place: Place): void {
  element.classList.add("goes");
  element.setAttribute("role", "link");
  element.setAttribute("tabindex", "0");
  element.addEventListener("click", () => editor.postMessage(place));
  element.addEventListener("keydown", (event) => {
    if (event instanceof KeyboardEvent && event.key === "Enter") {
      editor.postMessage(place);
    }
  });
}

/** The number that a text ends with, or 0. */
function lineOf(element: Element): number {
  return Number(/(\d+)\s*$/.exec(element.textContent ?? "")?.[1] ?? 0);
}

for (const element of document.querySelectorAll(".problem .where > span:first-child, figure.text .number")) {
  const line = lineOf(element);
  if (line > 0) {
    go(element, { line });
  }
}

for (const figure of document.querySelectorAll("figure.python")) {
  const caption = figure.querySelector("figcaption > b")?.nextSibling?.textContent ?? "";
  const file = /^\s*(.+):\d+\s*$/.exec(caption)?.[1];
  for (const element of figure.querySelectorAll(".number")) {
    const line = lineOf(element);
    if (file !== undefined && line > 0) {
      go(element, { line, file });
    }
  }
}

// The editor handles links within a page itself, so folded parts do not notice that they are asked for.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  const part = document.getElementById(link?.getAttribute("href")?.slice(1) ?? "");
  if (part instanceof HTMLDetailsElement) {
    part.open = true;
  }
});

export {};
