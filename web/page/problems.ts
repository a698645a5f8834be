/** The list of problems. Each leads with the Python line, because that is what the reader can change. */

import { byId, button, el, marked } from "./dom";
import { placeWords, quotePython, type PythonSources } from "./python";
import type { Place, Problem, Severity } from "./result";
import { counted, grouped } from "./words";

/** Problems that are shown at once; a button shows as many more. */
const PART = 50;
/** Problems from which on there are tools to filter them. */
const TOOLS = 2;
/** The code of a text without locations. */
const NO_LOCATIONS = "A0601";
const SEVERITIES: Severity[] = ["error", "warning", "advice"];

/** Options of the command line, the fields of this page for them, and the names of these. */
const FLAGS: [string, string, string][] = [
  ["--strict-nan", "strict-nan", "Strict NaN"],
  ["--float16", "float16", "Half precision"],
  ["--keep-functions", "keep-functions", "Keep functions"],
  ["--debug-info", "debug-info", "Python lines in the model"],
  ["--opset", "opset", "Opset"],
  ["--target", "target", "Target"],
  ["--dim", "dims", "Fixed dimensions"],
  ["--dynamic", "dynamic", "Dynamic dimensions"],
  ["--weights-prefix", "weights-prefix", "Prefix of the weights"],
  ["--weights-by-order", "weights-by-order", "Weights by order"],
];

export interface ProblemEvents {
  /** Show a place of the text. */
  place(place: Place): void;
  line(line: number): void;
  /** Show the field of an option. */
  option(field: string): void;
  /** A line of the text, to quote it. */
  text(line: number): string;
}

export class ProblemList {
  private problems: Problem[] = [];
  private explanations: Record<string, string> = {};
  private shown = PART;
  private readonly hidden = new Set<Severity>();
  private words: string[] = [];
  private readonly list = byId("problem-list");
  private readonly found = byId("problem-found");
  private readonly filters = byId("problem-filters");
  private readonly search = byId<HTMLInputElement>("problem-search");
  private readonly missing = byId("python-missing");

  constructor(private readonly python: PythonSources, private readonly events: ProblemEvents) {
    this.search.addEventListener("input", () => {
      this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.shown = PART;
      this.draw();
    });
  }

  /** Shows the problems, with the pages of their codes. The filters stay for a program that was only edited. */
  show(problems: Problem[], explanations: Record<string, string>, isNew: boolean): void {
    this.problems = problems;
    this.explanations = explanations;
    this.python.setPaths(problems.flatMap(({ python }) => python?.file ?? []));
    if (isNew) {
      this.hidden.clear();
      this.words = [];
      this.search.value = "";
    }
    this.shown = PART;
    this.drawFilters();
    this.draw();
  }

  /** Draws again, after a Python file came. */
  refresh(): void {
    this.draw();
  }

  private drawFilters(): void {
    const boxes = SEVERITIES.flatMap((severity) => {
      const count = this.problems.filter((problem) => problem.severity === severity).length;
      if (count === 0) return [];
      const box = el("input", { attributes: { type: "checkbox" } });
      box.checked = !this.hidden.has(severity);
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(severity);
        else this.hidden.add(severity);
        this.draw();
      });
      const words = severity === "advice" ? "advice" : `${severity}s`;
      return [el("label", { class: `chip ${severity}` }, box, el("span", {}, `${words} `, el("b", { text: String(count) })))];
    });
    this.filters.replaceChildren(el("legend", { text: "Show" }), ...boxes);
    byId("problem-tools").hidden = this.problems.length < TOOLS;
  }

  private fits(problem: Problem): boolean {
    // Nobody could change a filter that is not shown.
    if (this.problems.length < TOOLS) return true;
    if (this.hidden.has(problem.severity)) return false;
    if (this.words.length === 0) return true;
    const { code, title, message, help, modulePath, python } = problem;
    const text = [code, title, message, help, modulePath, python && placeWords(python)].join("\n").toLowerCase();
    return this.words.every((word) => text.includes(word));
  }

  private draw(): void {
    const fitting = this.problems.filter((problem) => this.fits(problem));
    const articles: HTMLElement[] = fitting.slice(0, this.shown).map((problem) => this.article(problem));
    const left = fitting.length - this.shown;
    if (left > 0) {
      const more = button(`Show more: ${counted(left, "problem")} left`, () => {
        this.shown += PART;
        this.draw();
      });
      articles.push(more);
    }
    if (this.problems.length === 0) articles.push(el("p", { class: "none", text: "No problems." }));
    this.list.replaceChildren(...articles);
    this.found.textContent =
      fitting.length === this.problems.length ? "" : `${fitting.length} of ${counted(this.problems.length, "problem")}`;
    this.drawMissing();
  }

  /** Says what would make the list clearer: locations, or the Python files. */
  private drawMissing(): void {
    const isUnnamed = this.problems.some(({ code }) => code === NO_LOCATIONS);
    byId("no-locations").hidden = !isUnnamed;
    const files = new Set<string>();
    for (const { python } of this.problems) {
      if (python && this.python.isMissing(python.file)) files.add(python.file.split(/[\\/]/).pop() ?? python.file);
    }
    this.missing.hidden = isUnnamed || files.size === 0;
    const names = [...files].slice(0, 3).flatMap((file, index) => [index > 0 ? ", " : "", el("code", { text: file })]);
    this.missing.replaceChildren("To see the Python lines themselves, drop ", ...names, files.size > 3 ? " …" : "", " on this page.");
  }

  private article(problem: Problem): HTMLElement {
    const { severity, code, message, help, notes, python, modulePath, count } = problem;
    const first = problem.places[0];
    const chip = el("p", { class: "code" }, el("span", { class: "severity", text: severity }), el("span", { text: code }));
    const article = el("article", { class: `problem ${severity}` }, chip);
    if (python) {
      article.append(el("h3", { class: "python-head", text: placeWords(python) }));
      const quote = quotePython(this.python, python);
      if (quote) article.append(quote);
    } else if (first && first.line > 0) {
      article.append(el("h3", { class: "python-head", text: `Line ${grouped(first.line)} of the text` }));
    }
    article.append(el("p", { class: "message" }, marked(message)));
    if (help) article.append(el("p", { class: "help" }, el("b", { text: "What to do" }), " ", marked(help), ...this.options(help)));
    for (const note of notes) article.append(el("p", { class: "note" }, el("b", { text: "Note" }), " ", marked(note)));
    if (modulePath) article.append(el("p", { class: "where" }, el("span", { class: "module", text: modulePath })));
    if (first && first.line > 0) article.append(this.quote(first, problem.places.slice(1)));
    if (count > 1) article.append(this.repeats(problem));
    // Problems of files of weights have codes without a page.
    const explanation = this.explanations[code];
    if (explanation) article.append(this.manual(code, explanation));
    return article;
  }

  /** Buttons for the options of the command line that a help names. */
  private options(help: string): HTMLElement[] {
    return FLAGS.filter(([flag]) => new RegExp(`${flag}\\b(?!-)`).test(help)).map(([, field, name]) =>
      button(`Options: ${name}`, () => this.events.option(field), { class: "option" }),
    );
  }

  /** The line of the text, as a button that leads to it. */
  private quote(first: Place, others: Place[]): HTMLElement {
    const text = this.events.text(first.line).trim();
    const shortened = text.length > 160 ? `${text.slice(0, 160)}…` : text;
    const go = button("", () => this.events.place(first), {
      class: "mlir",
      attributes: { "aria-label": `Go to line ${first.line} of the text` },
    });
    go.append(el("span", { class: "caption", text: `Line ${grouped(first.line)} of the StableHLO text` }));
    go.append(el("code", { text: shortened || " " }));
    if (first.label) go.append(el("span", { class: "label primary" }, "╰ ", marked(first.label)));
    const labels = others.slice(0, 4).map((place) =>
      button(`line ${grouped(place.line)}${place.label ? `: ${place.label.replaceAll("`", "")}` : ""}`, () => this.events.place(place), {
        class: "link",
      }),
    );
    return el("div", { class: "mlir-quote" }, go, ...labels);
  }

  /** The manual page of the code, which is made when it is opened. */
  private manual(code: string, explanation: string): HTMLElement {
    const body = el("div");
    const details = el("details", { class: "manual" }, el("summary", { text: `What ${code} means` }), body);
    details.addEventListener("toggle", () => {
      // The compiler made this HTML from its own manual, with nothing of the program in it.
      if (details.open && !body.firstChild) body.innerHTML = explanation;
    });
    return details;
  }

  private repeats(problem: Problem): HTMLElement {
    const lines = problem.lines.filter((line) => line !== problem.places[0]?.line).slice(0, 12);
    const links = lines.map((line) => button(grouped(line), () => this.events.line(line), { class: "link" }));
    const noun = lines.length === 1 ? "line" : "lines";
    const at = lines.length === 0 ? "" : lines.length < problem.count - 1 ? `, for example at ${noun} ` : `, at ${noun} `;
    const parts = links.flatMap((link, index) => [index > 0 ? ", " : "", link]);
    return el("p", { class: "more" }, `and ${grouped(problem.count - 1)} more like this${at}`, ...parts);
  }
}
