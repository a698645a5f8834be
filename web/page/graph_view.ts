/** The picture of the graph: inserts it in pieces, zooms, pans, and finds the elements of nodes and modules. */

import { breathe } from "./latest";
import type { Drawn } from "./protocol";

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The largest zoom in screen pixels per unit of the picture, and the smallest at which names can be read. */
const LARGEST = 4;
const READABLE = 0.75;
/** A picture that grew or shrank by this factor is another one. */
const CHANGE = 1.5;
/** Milliseconds of inserting until the browser may draw. */
const SLICE = 12;

export class GraphView {
  private svg: SVGSVGElement | null = null;
  private view: Box = { x: 0, y: 0, width: 1, height: 1 };
  private size = { width: 1, height: 1 };
  /** The size of the picture before. */
  private before = { width: 1, height: 1 };
  /** Pixels of the screen per unit of the picture. */
  scale = 1;
  private frame = 0;
  private drawing = 0;
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private moved = 0;

  constructor(private readonly host: HTMLElement) {
    host.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    host.addEventListener("pointerdown", (event) => this.down(event));
    host.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"] as const) {
      host.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    // A click at the end of a drag is not a click.
    host.addEventListener(
      "click",
      (event) => {
        if (this.moved > 5) event.stopPropagation();
      },
      { capture: true },
    );
    new ResizeObserver(() => this.resized()).observe(host);
  }

  /** Inserts a picture. False if another one came meanwhile. */
  async draw(drawn: Drawn): Promise<boolean> {
    const turn = ++this.drawing;
    // The picture is built behind the old one, which stays until the new one is complete. It is in the page meanwhile, so
    // that the browser lays it out part by part.
    for (const old of this.host.querySelectorAll(".unfinished")) old.remove();
    const holder = document.createElement("div");
    holder.className = "unfinished";
    this.host.append(holder);
    const stack: Element[] = [holder];
    let since = performance.now();
    for (const piece of drawn.pieces) {
      const parent = stack.at(-1) ?? holder;
      if ("close" in piece) stack.pop();
      else if ("markup" in piece) parent.insertAdjacentHTML("beforeend", piece.markup);
      else {
        parent.insertAdjacentHTML("beforeend", piece.open);
        if (parent.lastElementChild) stack.push(parent.lastElementChild);
      }
      if (performance.now() - since < SLICE) continue;
      await breathe();
      if (turn !== this.drawing) return false;
      since = performance.now();
    }
    const svg = holder.firstElementChild;
    if (!(svg instanceof SVGSVGElement)) throw new Error("The compiler made no picture.");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", "Graph of the ONNX model");
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
    this.before = this.size;
    this.size = { width: Math.max(1, drawn.width), height: Math.max(1, drawn.height) };
    this.svg = svg;
    // Moving it elsewhere would lay it out again.
    for (const other of [...this.host.children]) if (other !== holder) other.remove();
    holder.className = "finished";
    return true;
  }

  clear(): void {
    this.drawing += 1;
    this.svg = null;
    this.host.replaceChildren();
  }

  element(selector: string): SVGGraphicsElement | null {
    return this.svg?.querySelector<SVGGraphicsElement>(selector) ?? null;
  }

  elements(selector: string): SVGGraphicsElement[] {
    return this.svg ? [...this.svg.querySelectorAll<SVGGraphicsElement>(selector)] : [];
  }

  /** The box of an element in the units of the picture. */
  box(element: SVGGraphicsElement): Box {
    const box = element.getBBox();
    const own = element.getCTM();
    const whole = this.svg?.getCTM();
    if (!own || !whole) return box;
    const matrix = whole.inverse().multiply(own);
    const from = new DOMPoint(box.x, box.y).matrixTransform(matrix);
    const to = new DOMPoint(box.x + box.width, box.y + box.height).matrixTransform(matrix);
    return { x: from.x, y: from.y, width: to.x - from.x, height: to.y - from.y };
  }

  /** Shows the whole picture. */
  fit(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    const scale = Math.min(width / (this.size.width + 24), height / (this.size.height + 24), 1.25);
    this.center(this.size.width / 2, this.size.height / 2, scale);
  }

  /** Shows the picture's top, as large as names can be read. False if there is no room to show it in. */
  start(): boolean {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return false;
    const whole = Math.min(width / (this.size.width + 24), height / (this.size.height + 24), 1);
    const scale = Math.max(whole, READABLE);
    const y = this.size.height * scale + 24 < height ? this.size.height / 2 : height / scale / 2 - 12;
    this.center(this.size.width / 2, y, scale);
    return true;
  }

  /** Whether the view was made for another picture: this one has another extent, or nothing of it can be seen. */
  isAstray(): boolean {
    const { before, size } = this;
    const isOther = (a: number, b: number): boolean => Math.max(a, b) > CHANGE * Math.min(a, b);
    if (isOther(before.width, size.width) || isOther(before.height, size.height)) return true;
    // What is hidden has no boxes.
    if (!this.host.clientWidth) return true;
    const { x, y, width, height } = this.view;
    // An unfolded module is the ground of others, so that it can fill the view with nothing in it.
    return !this.elements("[data-node], [data-module]:not(.open)").some((element) => {
      const box = this.box(element);
      return box.x < x + width && box.x + box.width > x && box.y < y + height && box.y + box.height > y;
    });
  }

  /** Zooms around a point of the screen, or around the middle. */
  zoom(factor: number, clientX?: number, clientY?: number): void {
    const rect = this.host.getBoundingClientRect();
    const px = (clientX ?? rect.left + rect.width / 2) - rect.left;
    const py = (clientY ?? rect.top + rect.height / 2) - rect.top;
    const smallest = Math.min(rect.width / this.size.width, rect.height / this.size.height, 1) / 2;
    const scale = Math.max(smallest, Math.min(LARGEST, this.scale * factor));
    const x = this.view.x + px / this.scale;
    const y = this.view.y + py / this.scale;
    this.scale = scale;
    this.set({ x: x - px / scale, y: y - py / scale, width: rect.width / scale, height: rect.height / scale });
  }

  pan(dx: number, dy: number): void {
    const { x, y, width, height } = this.view;
    this.set({ x: x - dx / this.scale, y: y - dy / this.scale, width, height });
  }

  /** Moves an element into sight if it is not, or is too small. */
  reveal(element: SVGGraphicsElement): void {
    this.resized();
    this.apply();
    const box = this.box(element);
    const scale = Math.max(this.scale, READABLE);
    const margin = 40 / scale;
    const { x, y, width, height } = this.view;
    const isInside =
      box.x >= x + margin && box.y >= y + margin && box.x + box.width <= x + width - margin && box.y + box.height <= y + height - margin;
    if (isInside && scale === this.scale) return;
    this.center(box.x + box.width / 2, box.y + Math.min(box.height, this.host.clientHeight / scale) / 2, scale);
  }

  /** Where an element is on the screen, so that it can be put there again. */
  anchor(element: SVGGraphicsElement): { left: number; top: number } {
    const { left, top } = element.getBoundingClientRect();
    return { left, top };
  }

  /** Moves the picture so that an element is at a place of the screen. */
  hold(element: SVGGraphicsElement, { left, top }: { left: number; top: number }): void {
    const now = element.getBoundingClientRect();
    this.pan(left - now.left, top - now.top);
    this.apply();
  }

  private center(x: number, y: number, scale: number): void {
    this.scale = scale;
    const width = this.host.clientWidth / scale;
    const height = this.host.clientHeight / scale;
    this.set({ x: x - width / 2, y: y - height / 2, width, height });
  }

  private set(view: Box): void {
    this.view = view;
    this.frame ||= requestAnimationFrame(() => this.apply());
  }

  /** Puts the view into effect at once. */
  apply(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { x, y, width, height } = this.view;
    this.svg?.setAttribute("viewBox", `${x} ${y} ${Math.max(1e-3, width)} ${Math.max(1e-3, height)}`);
  }

  /** Keeps the scale when the canvas changes its size. */
  private resized(): void {
    const { clientWidth, clientHeight } = this.host;
    if (!clientWidth || !clientHeight || !this.svg) return;
    this.set({ ...this.view, width: clientWidth / this.scale, height: clientHeight / this.scale });
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    // A line is about 16 pixels, where the browser counts lines.
    const delta = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    if (event.shiftKey) this.pan(-delta, 0);
    // A pinch on a touchpad comes as a wheel with the control key, in small steps.
    else this.zoom(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX, event.clientY);
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.pointers.set(event.pointerId, now);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    // The pointer is captured once it drags: before, a click must reach its element.
    if (this.moved > 5 && !this.host.hasPointerCapture(event.pointerId)) this.host.setPointerCapture(event.pointerId);
    if (!other) {
      this.pan(now.x - before.x, now.y - before.y);
      return;
    }
    const distance = (point: { x: number; y: number }): number => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.zoom(distance(now) / distance(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
  }
}
