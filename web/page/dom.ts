/** Helpers for elements. */

export type Child = Node | string | null | undefined | false;

interface Properties {
  class?: string;
  text?: string;
  /** Attributes; `true` sets an empty one, and `false` or `null` none. */
  attributes?: Record<string, string | number | boolean | null>;
  on?: Partial<{ [K in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[K]) => void }>;
}

/** Makes an element. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.class) element.className = properties.class;
  if (properties.text !== undefined) element.textContent = properties.text;
  for (const [name, value] of Object.entries(properties.attributes ?? {})) {
    if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, listener] of Object.entries(properties.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** The element of the page with this id; the page's own markup has it. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element ${id}.`);
  return element as T;
}

/** Text in which `backticks` mark code. */
export function marked(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  text.split("`").forEach((part, index) => {
    if (part) fragment.append(index % 2 ? el("code", { text: part }) : part);
  });
  return fragment;
}

/** A button with words. */
export function button(text: string, onClick: () => void, properties: Properties = {}): HTMLButtonElement {
  const { attributes, ...rest } = properties;
  const made = el("button", { text, ...rest, attributes: { type: "button", ...attributes } });
  made.addEventListener("click", onClick);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** A bar that is filled to a share between 0 and 1. */
export function bar(share: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("viewBox", "0 0 100 8");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [kind, width] of [["rail", 100], ["fill", Math.max(0, Math.min(1, share)) * 100]] as const) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", kind);
    rect.setAttribute("width", String(width));
    rect.setAttribute("height", "8");
    svg.append(rect);
  }
  return svg;
}
