/** Where an arrow key leads: along an edge up and down, and to the nearest element beside. */

import type { GraphView } from "./graph_view";

export type Direction = "up" | "down" | "left" | "right";

const BOXES = "[data-node], [data-module]";

/** The name under which edges know a box. */
function edgeName(element: SVGGraphicsElement): string {
  const { node, module } = element.dataset;
  return node !== undefined ? `node ${node}` : `module ${module}`;
}

/** The box that edges know under a name; ports are not among them, because nothing can be done with them. */
function named(view: GraphView, name: string): SVGGraphicsElement | null {
  const [kind, ...rest] = name.split(" ");
  if (kind !== "node" && kind !== "module") return null;
  return view.element(`[data-${kind}="${CSS.escape(rest.join(" "))}"]`);
}

function isWithin(inner: DOMRect, outer: DOMRect): boolean {
  return inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom;
}

/** The unfolded module around a box. Its element is only its frame, so geometry tells what is in it. */
function frameOf(view: GraphView, element: SVGGraphicsElement): SVGGraphicsElement | null {
  const here = element.getBoundingClientRect();
  let best: SVGGraphicsElement | null = null;
  let width = Infinity;
  for (const frame of view.elements(".module.open")) {
    const rect = frame.getBoundingClientRect();
    if (frame === element || rect.width >= width || !isWithin(here, rect)) continue;
    best = frame;
    width = rect.width;
  }
  return best;
}

/** The boxes at the other ends of the edges. An edge that ends at a frame goes on outside of it. */
function linked(view: GraphView, from: SVGGraphicsElement, near: "from" | "to", far: "from" | "to", depth = 0): SVGGraphicsElement[] {
  const name = edgeName(from);
  const found: SVGGraphicsElement[] = [];
  let leaves = false;
  for (const edge of view.elements("path.edge")) {
    if (edge.dataset[near] !== name) continue;
    const other = edge.dataset[far];
    if (other === undefined) leaves = true;
    else {
      const element = named(view, other);
      if (element && element !== from) found.push(element);
    }
  }
  const frame = leaves && found.length === 0 && depth < 32 ? frameOf(view, from) : null;
  return frame ? linked(view, frame, near, far, depth + 1) : found;
}

export function neighbor(view: GraphView, from: SVGGraphicsElement, direction: Direction): SVGGraphicsElement | null {
  const here = from.getBoundingClientRect();
  const middle = (rect: DOMRect): number => rect.left + rect.width / 2;
  const distance = (element: SVGGraphicsElement): number => {
    const rect = element.getBoundingClientRect();
    return Math.hypot(middle(rect) - middle(here), rect.top - here.top);
  };
  const nearest = (elements: SVGGraphicsElement[]): SVGGraphicsElement | null => {
    const measured = elements.map((element) => ({ element, far: distance(element) }));
    return measured.reduce<(typeof measured)[number] | null>((best, next) => (best === null || next.far < best.far ? next : best), null)?.element ?? null;
  };

  // Down from an unfolded module leads into it.
  if (direction === "down" && from.classList.contains("open")) {
    const inside = nearest(view.elements(BOXES).filter((element) => element !== from && isWithin(element.getBoundingClientRect(), here)));
    if (inside) return inside;
  }
  if (direction === "up" || direction === "down") {
    const found = direction === "down" ? linked(view, from, "from", "to") : linked(view, from, "to", "from");
    if (found.length) return nearest(found);
  }
  // Without an edge, and sideways, geometry decides.
  const candidates = view.elements(BOXES).filter((element) => {
    const rect = element.getBoundingClientRect();
    // The frames around a box are up from it.
    if (element === from || (direction !== "up" && isWithin(here, rect))) return false;
    const isBeside = rect.top < here.bottom && rect.bottom > here.top;
    switch (direction) {
      case "up":
        return rect.bottom <= here.top + 1 || (isWithin(here, rect) && rect.top < here.top);
      case "down":
        return rect.top >= here.bottom - 1;
      case "left":
        return isBeside && rect.right <= here.left + 1;
      case "right":
        return isBeside && rect.left >= here.right - 1;
    }
  });
  return nearest(candidates);
}
