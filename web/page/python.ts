/** The Python sources that the user gave, for quoting their lines. */

import { el } from "./dom";
import type { PythonPlace } from "./result";
import { baseName } from "./words";

export class PythonSources {
  private readonly lines = new Map<string, string[]>();
  private ambiguous = new Set<string>();

  /** Takes the paths that the problems name. A given file has no folder, so that two paths of one name cannot be told apart. */
  setPaths(paths: Iterable<string>): void {
    const known = new Map<string, string>();
    this.ambiguous = new Set();
    for (const path of paths) {
      const name = baseName(path);
      if ((known.get(name) ?? path) !== path) this.ambiguous.add(name);
      known.set(name, path);
    }
  }

  async add(file: File): Promise<void> {
    this.lines.set(baseName(file.name), (await file.text()).split(/\r\n|\r|\n/));
  }

  /** Whether the file would be quoted if it was given. */
  isMissing(path: string): boolean {
    const name = baseName(path);
    return !this.lines.has(name) && !this.ambiguous.has(name);
  }

  /** The numbered lines around a line of a file, or null if the file was not given, has no such line, or may be another one. */
  around(path: string, line: number, context: number): { number: number; text: string }[] | null {
    const name = baseName(path);
    const lines = this.ambiguous.has(name) ? undefined : this.lines.get(name);
    if (!lines || line < 1 || line > lines.length) return null;
    const from = Math.max(1, line - context);
    const to = Math.min(lines.length, line + context);
    return lines.slice(from - 1, to).map((text, index) => ({ number: from + index, text }));
  }
}

/** `model.py:12 in Model.__call__`. */
export function placeWords(place: PythonPlace): string {
  const name = `${baseName(place.file)}:${place.line}`;
  return place.function ? `${name} in ${place.function}` : name;
}

/** The place in `model.py:12:4 in Model.__call__`, as the nodes of the graph have it. */
export function parsePlace(text: string): PythonPlace | null {
  const found = /^(.*?):(\d+)(?::(\d+))?(?: in (.*))?$/.exec(text);
  if (!found) return null;
  return { file: found[1] ?? "", line: Number(found[2]), column: Number(found[3] ?? 0), function: found[4] ?? null };
}

/** Why a line of a file cannot be the one with a column that was exported, or "". */
function difference(text: string, column: number): string {
  if (!text.trim()) return "is empty";
  // Python counts columns in bytes.
  return column > new TextEncoder().encode(text).length ? `has no column ${column}` : "";
}

/** The quoted line with its neighbors; the line itself is marked from its column on. */
export function quotePython(sources: PythonSources, place: PythonPlace): HTMLElement | null {
  const lines = sources.around(place.file, place.line, 1);
  if (!lines) return null;
  const here = lines.find(({ number }) => number === place.line)?.text ?? "";
  const differs = difference(here, place.column);
  const width = String(lines.at(-1)?.number ?? 0).length;
  // The lines move to the left as one, so that a narrow screen shows more of them.
  const indents = lines.filter(({ text }) => text.trim()).map(({ text }) => text.length - text.trimStart().length);
  const shift = indents.length ? Math.min(...indents) : 0;
  const pre = el("pre", { attributes: { tabindex: 0 } });
  for (const { number, text: whole } of lines) {
    const text = whole.slice(shift);
    const isPlace = number === place.line;
    const row = el("span", { class: isPlace ? "row here" : "row" });
    row.append(el("span", { class: "number", text: String(number).padStart(width) }));
    const column = Math.min(Math.max(0, place.column - 1 - shift), text.length);
    // A column that lies before or in the indentation would underline spaces.
    const from = Math.max(column, text.length - text.trimStart().length);
    if (isPlace && differs === "") row.append(text.slice(0, from), el("mark", { class: "primary", text: text.slice(from) }));
    else row.append(text);
    row.append("\n");
    pre.append(row);
  }
  const note = differs && el("figcaption", { text: `This file differs from the one that was exported: line ${place.line} ${differs}.` });
  return el("figure", { class: "quote python" }, pre, note);
}
