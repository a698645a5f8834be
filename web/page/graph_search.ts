/** The search for nodes: by ONNX op, name, module, source op and Python line. */

import { byId } from "./dom";
import type { ModelNode } from "./result";
import { grouped } from "./words";

export class GraphSearch {
  private readonly field = byId<HTMLInputElement>("graph-search");
  private readonly found = byId("graph-found");
  private nodes: ModelNode[] = [];
  private texts: string[] | null = null;
  private matches: number[] = [];
  private at = -1;
  private words = "";

  constructor(private readonly go: (index: number) => void) {
    this.field.addEventListener("input", () => this.update());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    });
    byId("graph-next").addEventListener("click", () => this.step(1));
    byId("graph-previous").addEventListener("click", () => this.step(-1));
  }

  take(nodes: ModelNode[]): void {
    this.nodes = nodes;
    this.texts = null;
    this.words = "";
    this.update();
  }

  focus(): void {
    this.field.focus();
    this.field.select();
  }

  /** Looks for words, and goes to the first match. */
  set(words: string): void {
    this.field.value = words;
    this.words = "";
    this.update();
    this.step(1);
  }

  private update(): void {
    const words = this.field.value.trim().toLowerCase();
    if (words === this.words && words !== "") return;
    this.words = words;
    this.at = -1;
    this.matches = [];
    if (words) {
      this.texts ??= this.nodes.map(({ op, name, module, source, python }) => [op, name, module, source, python ?? ""].join("\n").toLowerCase());
      const parts = words.split(/\s+/);
      this.texts.forEach((text, index) => {
        if (parts.every((part) => text.includes(part))) this.matches.push(index);
      });
    }
    this.tell();
  }

  private step(by: number): void {
    this.update();
    if (this.matches.length === 0) return;
    this.at = (this.at + by + this.matches.length + (this.at < 0 && by < 0 ? 1 : 0)) % this.matches.length;
    this.tell();
    const index = this.matches[this.at];
    if (index !== undefined) this.go(index);
  }

  private tell(): void {
    const all = this.matches.length;
    const none = this.words ? "no node" : "";
    this.found.textContent = all === 0 ? none : this.at < 0 ? `${grouped(all)} found` : `${grouped(this.at + 1)} of ${grouped(all)}`;
  }
}
