/** What is known about the selected nodes. */

import { button, byId, el } from "./dom";
import { parsePlace, placeWords } from "./python";
import type { ModelNode, PythonPlace } from "./result";
import { counted, grouped } from "./words";

export interface DetailEvents {
  line(line: number): void;
  find(words: string): void;
  /** The quoted Python line of a node, or null. */
  quote(place: PythonPlace): HTMLElement | null;
}

/** Nodes that are described at once. */
const SHOWN = 8;

function describe(node: ModelNode, events: DetailEvents): HTMLElement {
  const list = el("dl");
  const add = (name: string, ...value: (Node | string)[]): void => {
    list.append(el("div", {}, el("dt", { text: name }), el("dd", {}, ...value)));
  };
  if (node.python) {
    const place = parsePlace(node.python);
    add("Python", el("b", { text: place ? placeWords(place) : node.python }));
    const quote = place && events.quote(place);
    if (quote) list.append(quote);
  }
  add("Type", el("code", { text: node.type || "unknown" }));
  if (node.name) add("Name", el("code", { text: node.name }));
  if (node.module) add("Module", button(node.module, () => events.find(node.module), { class: "link" }));
  if (node.line > 0) add("From", el("code", { text: node.source }), " at ", button(`line ${grouped(node.line)}`, () => events.line(node.line), { class: "link" }));
  else add("From", "no op of the text: the compiler added it");
  return el("div", { class: "detail" }, el("h3", { text: node.op }), list);
}

export function showDetails(selection: number[], nodes: ModelNode[], events: DetailEvents): void {
  const host = byId("graph-details");
  const chosen = selection.slice(0, SHOWN).flatMap((index) => nodes[index] ?? []);
  host.hidden = chosen.length === 0;
  const parts = chosen.map((node) => describe(node, events));
  if (selection.length > SHOWN) parts.push(el("p", { class: "none", text: `${counted(selection.length - SHOWN, "more node", "more nodes")} of this line.` }));
  host.replaceChildren(...parts);
}
