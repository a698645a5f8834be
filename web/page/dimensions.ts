/** Sizes that are not fixed: names such as `b`, and expressions of them such as `2*b + 1`. */

/** The names in the dimensions, in the order in which they appear; `?` counts once for its input. */
export function sizeNames(ports: { name: string; dims: (string | number)[] }[]): string[] {
  const names = new Set<string>();
  for (const { name, dims } of ports) {
    dims.forEach((dim, index) => {
      const text = String(dim);
      if (/^\d+$/.test(text)) return;
      if (text === "?" || text === "") names.add(`${name}:${index}`);
      else for (const word of text.match(/[A-Za-z_]\w*/g) ?? []) if (!/^(floordiv|mod|max|min)$/.test(word)) names.add(word);
    });
  }
  return [...names];
}

/** The value of an expression, or null if this page does not know its form. */
function evaluate(text: string, sizes: Record<string, number>): number | null {
  const tokens = text.match(/[A-Za-z_]\w*|\d+|[-+*(),]|\S/g) ?? [];
  let at = 0;
  const take = (token: string): boolean => tokens[at] === token && (at++, true);
  const factor = (): number => {
    const token = tokens[at++] ?? "";
    if (token === "-") return -factor();
    if (token === "(") {
      const value = sum();
      if (!take(")")) throw new Error(text);
      return value;
    }
    if (/^\d+$/.test(token)) return Number(token);
    if (/^(floordiv|mod|max|min)$/.test(token) && take("(")) {
      const a = sum();
      if (!take(",")) throw new Error(text);
      const b = sum();
      if (!take(")")) throw new Error(text);
      if (token === "max") return Math.max(a, b);
      if (token === "min") return Math.min(a, b);
      return token === "mod" ? a - Math.floor(a / b) * b : Math.floor(a / b);
    }
    const value = sizes[token];
    if (value === undefined) throw new Error(text);
    return value;
  };
  const product = (): number => {
    let value = factor();
    while (take("*")) value *= factor();
    return value;
  };
  const sum = (): number => {
    let value = product();
    for (;;) {
      if (take("+")) value += product();
      else if (take("-")) value -= product();
      else return value;
    }
  };
  try {
    const value = sum();
    return at === tokens.length && Number.isFinite(value) ? value : null;
  } catch {
    return null;
  }
}

/** The size used where nothing is known. */
export const DEFAULT_SIZE = 2;

export function resolve(name: string, dims: (string | number)[], sizes: Record<string, number>): number[] {
  return dims.map((dim, index) => {
    if (typeof dim === "number") return dim;
    if (/^\d+$/.test(dim)) return Number(dim);
    const value = sizes[dim] ?? evaluate(dim, sizes) ?? sizes[`${name}:${index}`] ?? DEFAULT_SIZE;
    return Math.max(0, value);
  });
}
