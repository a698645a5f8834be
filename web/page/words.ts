/** Numbers and short phrases as the reports of the command line write them. */

import type { TensorReport, Verdict } from "./result";

/** Digits in groups of three. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** `3 nodes`, `1 node`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = -1;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toPrecision(3)} ${units[unit]}`;
}

export function milliseconds(value: number): string {
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 100) return `${value.toFixed(1)} ms`;
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** `f32[1, 28]`. */
export function typeOf(tensor: TensorReport): string {
  return `${tensor.element}[${tensor.dims.join(", ")}]`;
}

export function verdictWords(verdict: Verdict): string {
  switch (verdict) {
    case "exact":
      return "Converts exactly";
    case "approximate":
      return "Converts, with differences";
    case "refused":
      return "Does not convert";
  }
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split(/[\\/]/).pop() ?? path;
}
