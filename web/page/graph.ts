/** The panel with the graph: folding by module, selection, search, and the keys. */

import { byId } from "./dom";
import { showDetails, type DetailEvents } from "./graph_details";
import { neighbor, type Direction } from "./graph_keys";
import { GraphView } from "./graph_view";
import { GraphSearch } from "./graph_search";
import { parsePlace, placeWords } from "./python";
import type { Drawn } from "./protocol";
import type { ModelNode, Result } from "./result";
import { counted } from "./words";

/** Nodes that one press of a button unfolds. */
const LARGE = 600;
const DIRECTIONS: Record<string, Direction> = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };

export interface GraphEvents extends DetailEvents {
  /** Asks the compiler for the picture with these modules unfolded. */
  draw(unfolded: string[]): Promise<Drawn>;
  /** The picture could not be drawn. */
  failed(error: unknown): void;
  /** Nodes were selected; shows where they come from. */
  selected(nodes: ModelNode[]): void;
  announce(text: string): void;
  isVisible(): boolean;
  showTab(): void;
}

export class GraphPanel {
  private readonly canvas = byId("graph-canvas");
  private readonly view = new GraphView(this.canvas);
  private readonly search: GraphSearch;
  private readonly empty = byId("graph-empty");
  private nodes: ModelNode[] = [];
  private byLine = new Map<number, number[]>();
  private unfolded = new Set<string>();
  private selection: number[] = [];
  private isStale = false;
  /** The next picture is shown from its top. */
  private isFirst = true;
  /** The picture came while there was no room to show it in. */
  private isUnplaced = false;

  constructor(private readonly events: GraphEvents) {
    this.search = new GraphSearch((index) => void this.go(index));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focusin", (event) => this.rove(event.target));
    byId("graph-in").addEventListener("click", () => this.view.zoom(1.3));
    byId("graph-out").addEventListener("click", () => this.view.zoom(1 / 1.3));
    byId("graph-fit").addEventListener("click", () => this.view.fit());
    byId("graph-unfold").addEventListener("click", () => void this.unfoldAll());
    byId("graph-fold").addEventListener("click", () => void this.setUnfolded(new Set()));
  }

  /** Takes the nodes of a new conversion. A new program starts with the modules unfolded that the compiler chose. */
  async show({ nodes, unfolded }: Result, isNew: boolean): Promise<void> {
    this.nodes = nodes;
    this.selection = [];
    this.byLine = new Map();
    nodes.forEach(({ line }, index) => {
      if (line === 0) return;
      const known = this.byLine.get(line);
      if (known) known.push(index);
      else this.byLine.set(line, [index]);
    });
    if (isNew) {
      this.unfolded = new Set(unfolded);
      this.isFirst = true;
    }
    this.search.take(nodes);
    this.empty.hidden = nodes.length > 0;
    byId("graph-tools").hidden = nodes.length === 0;
    showDetails([], this.nodes, this.events);
    this.isStale = true;
    if (nodes.length === 0) {
      this.isStale = false;
      this.view.clear();
    }
    await this.refresh();
  }

  /** There is no program. */
  clear(): void {
    this.nodes = [];
    this.selection = [];
    this.byLine = new Map();
    this.search.take([]);
    this.isStale = false;
    this.view.clear();
    this.empty.hidden = false;
    byId("graph-tools").hidden = true;
    byId("graph-details").hidden = true;
  }

  /** Draws if the panel is visible and the picture is old. `isHeld` if the caller then moves the view itself. */
  async refresh(isHeld = false): Promise<void> {
    if (!this.events.isVisible()) return;
    if (!this.isStale) {
      // The panel was hidden while its picture came.
      if (this.isUnplaced) this.isUnplaced = !this.view.start();
      return;
    }
    this.isStale = false;
    try {
      const drawn = await this.events.draw([...this.unfolded]);
      // Without pieces a conversion is still to come, and brings the picture.
      if (drawn.pieces.length === 0) this.isStale = true;
      else if (await this.view.draw(drawn)) this.drawn(isHeld);
    } catch (error) {
      this.isStale = true;
      this.events.failed(error);
    }
  }

  private drawn(isHeld: boolean): void {
    this.view.apply();
    if (this.isFirst || this.isUnplaced || (!isHeld && this.view.isAstray())) this.isUnplaced = !this.view.start();
    this.isFirst = false;
    this.view.apply();
    this.mark();
    this.makeReachable(this.current() ?? this.view.element("[data-node], [data-module]"));
  }

  /** The nodes that come from a line of the text. */
  ofLine(line: number): number[] {
    return this.byLine.get(line) ?? [];
  }

  /** Selects nodes without showing where they come from, which is where the selection came from. */
  selectQuietly(indices: number[]): void {
    this.selection = indices;
    this.mark();
    showDetails(indices, this.nodes, this.events);
    const element = this.elementOf(indices[0] ?? -1);
    if (element && this.events.isVisible()) this.view.reveal(element);
  }

  /** Looks for words and goes to the first node that has them. */
  async find(words: string): Promise<void> {
    this.events.showTab();
    await this.refresh();
    this.search.set(words);
  }

  /** Unfolds what hides a node, selects it, and shows it. */
  async go(index: number): Promise<void> {
    const node = this.nodes[index];
    if (!node) return;
    await this.unfoldTo(index);
    const element = this.view.element(`[data-node="${index}"]`);
    this.selection = [index];
    this.mark();
    // The details take room from the picture, so they come first.
    this.selected();
    if (!element) return;
    this.makeReachable(element);
    this.view.reveal(element);
  }

  private async unfoldTo(index: number): Promise<void> {
    const groups = this.nodes[index]?.groups ?? [];
    if (groups.some((path) => !this.unfolded.has(path))) await this.setUnfolded(new Set([...this.unfolded, ...groups]), null, true);
  }

  private async setUnfolded(unfolded: Set<string>, keep: { path: string; at: { left: number; top: number } } | null = null, isHeld = keep !== null): Promise<void> {
    this.unfolded = unfolded;
    this.isStale = true;
    const hadFocus = this.canvas.contains(document.activeElement);
    await this.refresh(isHeld);
    const element = keep && this.view.element(`[data-module="${CSS.escape(keep.path)}"]`);
    if (this.isStale || !keep || !element) return;
    this.view.hold(element, keep.at);
    this.makeReachable(element);
    if (hadFocus) element.focus({ preventScroll: true });
    const isOpen = unfolded.has(keep.path);
    this.events.announce(`${keep.path} is ${isOpen ? "unfolded" : "folded"}.`);
  }

  /** Unfolds all modules, from the outer to the inner, as long as the browser can draw them without a pause. */
  private async unfoldAll(): Promise<void> {
    const own = new Map<string, { depth: number; nodes: number }>();
    for (const { groups } of this.nodes) {
      groups.forEach((path, depth) => {
        const group = own.get(path) ?? { depth, nodes: 0 };
        own.set(path, group);
        if (depth === groups.length - 1) group.nodes += 1;
      });
    }
    const modules = [...own].sort(([, a], [, b]) => a.depth - b.depth);
    const unfolded = new Set<string>();
    let drawn = 0;
    for (const [path, { nodes }] of modules) {
      drawn += 1 + nodes;
      if (drawn > LARGE && unfolded.size > 0) break;
      unfolded.add(path);
    }
    await this.setUnfolded(unfolded);
    this.view.fit();
    if (unfolded.size < modules.length) {
      this.events.announce(`${unfolded.size} of ${counted(modules.length, "module")} are unfolded: the rest would be too much to draw at once. Unfold them one by one.`);
    }
  }

  private toggle(element: SVGGraphicsElement): void {
    const path = element.dataset.module ?? "";
    const unfolded = new Set(this.unfolded);
    if (!unfolded.delete(path)) unfolded.add(path);
    void this.setUnfolded(unfolded, { path, at: this.view.anchor(element) });
  }

  private click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target.closest<SVGGraphicsElement>("[data-node], [data-module]") : null;
    if (target) this.activate(target, event);
  }

  private activate(element: SVGGraphicsElement, event: Event): void {
    if (element.dataset.node !== undefined) {
      this.makeReachable(element);
      element.focus({ preventScroll: true });
      this.selection = [Number(element.dataset.node)];
      this.mark();
      this.selected();
      this.view.reveal(element);
      return;
    }
    // Of an unfolded module only the title bar folds it: its inside is for panning.
    if (element.classList.contains("open") && event.type === "click" && !this.isTitle(element, event)) return;
    this.toggle(element);
  }

  private isTitle(module: SVGGraphicsElement, event: Event): boolean {
    if (!(event instanceof MouseEvent)) return true;
    return event.clientY - module.getBoundingClientRect().top < 34 * this.view.scale;
  }

  private selected(): void {
    const nodes = this.selection.flatMap((index) => this.nodes[index] ?? []);
    showDetails(this.selection, this.nodes, this.events);
    this.events.selected(nodes);
    const [node] = nodes;
    if (!node) return;
    const place = node.python === null ? null : parsePlace(node.python);
    const from = node.line > 0 ? `, from ${node.source} at line ${node.line}` : "";
    this.events.announce(`${node.op} ${node.type}${place ? `, ${placeWords(place)}` : ""}${from}`);
  }

  private key(event: KeyboardEvent): void {
    // With these keys they belong to the browser.
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target.closest<SVGGraphicsElement>("[data-node], [data-module]") : null;
    if (event.key === "+" || event.key === "=") this.view.zoom(1.3);
    else if (event.key === "-") this.view.zoom(1 / 1.3);
    else if (event.key === "0") this.view.fit();
    else if (event.key === "/") this.search.focus();
    else if (target && (event.key === "Enter" || event.key === " ")) this.activate(target, event);
    else if (event.key in DIRECTIONS) {
      const direction = DIRECTIONS[event.key];
      const from = target ?? this.current();
      const to = from && direction ? neighbor(this.view, from, direction) : this.view.element("[data-node], [data-module]");
      if (to) {
        this.makeReachable(to);
        to.focus({ preventScroll: true });
        this.view.reveal(to);
      } else if (from) {
        this.events.announce("There is no node in this direction.");
      }
    } else return;
    event.preventDefault();
  }

  /** The element in the order of the Tab key. */
  private current(): SVGGraphicsElement | null {
    return this.view.element('[tabindex="0"]');
  }

  private makeReachable(element: SVGGraphicsElement | null): void {
    if (!element) return;
    for (const other of this.view.elements('[tabindex="0"]')) other.setAttribute("tabindex", "-1");
    element.setAttribute("tabindex", "0");
  }

  private rove(target: EventTarget | null): void {
    const element = target instanceof Element ? target.closest<SVGGraphicsElement>("[data-node], [data-module]") : null;
    if (element && element.getAttribute("tabindex") !== "0") this.makeReachable(element);
  }

  /** A node's element, or that of the folded module that hides it. */
  private elementOf(index: number): SVGGraphicsElement | null {
    const node = this.view.element(`[data-node="${index}"]`);
    if (node) return node;
    for (const path of (this.nodes[index]?.groups ?? []).toReversed()) {
      const module = this.view.element(`[data-module="${CSS.escape(path)}"]`);
      if (module) return module;
    }
    return null;
  }

  /** Shows the selection in the picture. */
  private mark(): void {
    for (const element of this.view.elements(".selected")) {
      element.classList.remove("selected");
      element.removeAttribute("aria-current");
    }
    for (const index of this.selection.slice(0, 500)) {
      const element = this.elementOf(index);
      element?.classList.add("selected");
      element?.setAttribute("aria-current", "true");
    }
    const edges = new Set(this.selection.map((index) => `node ${index}`));
    for (const edge of this.view.elements("path.edge")) {
      const isNear = edges.has(edge.dataset.from ?? "") || edges.has(edge.dataset.to ?? "");
      if (isNear || edge.classList.contains("near")) edge.classList.toggle("near", isNear);
    }
  }

  /** A sentence about the nodes of a line. */
  lineWords(line: number, op: string): string {
    const indices = this.ofLine(line);
    if (indices.length === 0) return `Line ${line}: ${op} was folded or merged, and has no node of its own.`;
    const ops = indices.slice(0, 4).map((index) => this.nodes[index]?.op ?? "");
    return `Line ${line}: ${op} became ${counted(indices.length, "node")}: ${ops.join(", ")}${indices.length > 4 ? ", …" : ""}.`;
  }
}
