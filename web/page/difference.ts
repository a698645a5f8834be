/** What changed between two conversions. */

import { byId, el } from "./dom";
import type { Problem, Result } from "./result";
import { bytes, counted, grouped, verdictWords } from "./words";

function problemKey({ code, message, python, modulePath }: Problem): string {
  return [code, message, python ? `${python.file}:${python.line}` : modulePath].join("\n");
}

function row(name: string, before: string, after: string): HTMLElement {
  return el("tr", {}, el("th", { text: name, attributes: { scope: "row" } }), el("td", { class: "n", text: before }), el("td", { class: "n", text: after }));
}

function problems(title: string, list: Problem[]): HTMLElement | null {
  if (list.length === 0) return null;
  const items = list.slice(0, 12).map(({ code, message }) => el("li", { text: `${code}: ${message.replaceAll("`", "")}` }));
  if (list.length > 12) items.push(el("li", { text: `and ${list.length - 12} more` }));
  return el("div", {}, el("h3", { text: title }), el("ul", { class: "differences" }, ...items));
}

/** Shows what changed, and returns it in one sentence, or "" if nothing did. */
export function showDifference(before: Result, after: Result): string {
  const rows: HTMLElement[] = [];
  if (before.report.verdict !== after.report.verdict) {
    rows.push(row("Verdict", verdictWords(before.report.verdict), verdictWords(after.report.verdict)));
  }
  // Of a program that was refused there is nothing to compare with.
  const areModels = before.report.verdict !== "refused" && after.report.verdict !== "refused";
  if (areModels && before.report.opset !== after.report.opset) rows.push(row("Opset", String(before.report.opset ?? "none"), String(after.report.opset ?? "none")));
  if (areModels && before.bytes !== after.bytes) rows.push(row("Size of the file", bytes(before.bytes), bytes(after.bytes)));
  const counts = (result: Result): Map<string, number> => new Map(areModels ? result.report.nodes.map(({ op, count }) => [op, count]) : []);
  const [old, now] = [counts(before), counts(after)];
  const total = (map: Map<string, number>): number => [...map.values()].reduce((sum, count) => sum + count, 0);
  if (total(old) !== total(now)) rows.push(row("Nodes", grouped(total(old)), grouped(total(now))));
  let ops = 0;
  for (const op of new Set([...old.keys(), ...now.keys()])) {
    const [a, b] = [old.get(op) ?? 0, now.get(op) ?? 0];
    if (a === b) continue;
    ops += 1;
    rows.push(row(op, grouped(a), grouped(b)));
  }
  const keys = (list: Problem[]): Set<string> => new Set(list.map(problemKey));
  const [oldKeys, newKeys] = [keys(before.problems), keys(after.problems)];
  const appeared = after.problems.filter((problem) => !oldKeys.has(problemKey(problem)));
  const gone = before.problems.filter((problem) => !newKeys.has(problemKey(problem)));

  const host = byId("difference");
  if (rows.length + appeared.length + gone.length === 0) {
    host.replaceChildren(el("p", { class: "none", text: "The last change made no difference." }));
    return "no difference";
  }
  const head = el("tr", {}, ...["", "Before", "After"].map((text, index) => el("th", { class: index ? "n" : "", text, attributes: { scope: "col" } })));
  const parts: (HTMLElement | null)[] = [
    rows.length ? el("div", { class: "scroll" }, el("table", {}, el("caption", { text: "What the last change did" }), el("thead", {}, head), el("tbody", {}, ...rows))) : null,
    problems("New problems", appeared),
    problems("Problems that are gone", gone),
  ];
  host.replaceChildren(...parts.filter((part) => part !== null));
  const words = [
    before.report.verdict !== after.report.verdict ? verdictWords(after.report.verdict).toLowerCase() : "",
    areModels && before.report.opset !== after.report.opset ? `opset ${before.report.opset} → ${after.report.opset}` : "",
    total(old) !== total(now) || ops ? `nodes ${grouped(total(old))} → ${grouped(total(now))}` : "",
    areModels && before.bytes !== after.bytes ? `file ${bytes(before.bytes)} → ${bytes(after.bytes)}` : "",
    appeared.length ? counted(appeared.length, "new problem") : "",
    gone.length ? `${counted(gone.length, "problem")} gone` : "",
  ];
  return words.filter(Boolean).join(", ");
}

export function clearDifference(): void {
  byId("difference").replaceChildren(el("p", { class: "none", text: "Change an option or the text to see what it changes in the model." }));
}
