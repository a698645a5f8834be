/** Where an arrow key leads: along an edge up and down, and to the nearest element beside. */

import type { GraphView } from "./graph_view";

export type Direction = "up" | "down" | "left" | "right";

/** The name under which edges know an element. */
function edgeName(element: SVGGraphicsElement): string | null {
  return element.dataset.node ?? element.dataset.module ?? null;
}

function named(view: GraphView, name: string): SVGGraphicsElement | null {
  const escaped = CSS.escape(name);
  return view.element(`[data-node="${escaped}"]`) ?? view.element(`[data-module="${escaped}"]`);
}

export function neighbor(view: GraphView, from: SVGGraphicsElement, direction: Direction): SVGGraphicsElement | null {
  const name = edgeName(from);
  const here = from.getBoundingClientRect();
  const middle = (rect: DOMRect): number => rect.left + rect.width / 2;
  const distance = (element: SVGGraphicsElement): number => {
    const rect = element.getBoundingClientRect();
    return Math.hypot(middle(rect) - middle(here), rect.top - here.top);
  };
  const nearest = (elements: SVGGraphicsElement[]): SVGGraphicsElement | null =>
    elements.reduce<SVGGraphicsElement | null>((best, element) => (best === null || distance(element) < distance(best) ? element : best), null);

  if (direction === "up" || direction === "down") {
    const [near, far] = direction === "down" ? (["from", "to"] as const) : (["to", "from"] as const);
    const linked = view
      .elements("path.edge")
      .filter((edge) => edge.dataset[near] === name)
      .map((edge) => named(view, edge.dataset[far] ?? ""))
      .filter((element) => element !== null && element !== from) as SVGGraphicsElement[];
    if (linked.length) return nearest(linked);
  }
  // Without an edge, and sideways, geometry decides.
  const candidates = view.elements("[data-node], [data-module]").filter((element) => {
    if (element === from || element.contains(from)) return false;
    const rect = element.getBoundingClientRect();
    switch (direction) {
      case "up":
        return rect.bottom <= here.top + 1;
      case "down":
        return rect.top >= here.bottom - 1 || (from.contains(element) && rect.top > here.top);
      case "left":
        return rect.right <= here.left + 1 && rect.top < here.bottom + here.height && rect.bottom > here.top - here.height;
      case "right":
        return rect.left >= here.right - 1 && rect.top < here.bottom + here.height && rect.bottom > here.top - here.height;
    }
  });
  return nearest(candidates);
}
