/** The messages between the page and the worker that runs the model. */

import type { NamedFile } from "./protocol";

export interface Port {
  name: string;
  /** The element type as ONNX Runtime names it. */
  type: string;
  dims: (number | string)[];
}

/** Numbers for the dimensions that are not fixed. */
export type Sizes = Record<string, number>;

export interface RunRequest {
  model: Blob;
  seed: number;
  sizes: Sizes;
  /** Files with arrays, or none for random inputs. */
  files: NamedFile[];
  /** Inputs typed as JSON, or "". */
  json: string;
  /** Names of the inputs that are arguments of the program and not weights, in order: `in.0` is the first of these. */
  positional: string[];
}

export interface OutputSummary {
  name: string;
  type: string;
  dims: number[];
  first: string[];
  min: number | null;
  max: number | null;
  mean: number | null;
  /** How many elements are NaN or infinite. */
  odd: number;
}

export interface Comparison {
  name: string;
  /** Why the arrays cannot be compared, or null. */
  reason: string | null;
  largest: number;
  relative: number;
}

export interface RunReport {
  version: string;
  inputs: { name: string; type: string; dims: number[]; from: string }[];
  load: number;
  first: number;
  median: number;
  rounds: number;
  outputs: OutputSummary[];
  comparisons: Comparison[];
  unused: string[];
}

export type ToRunner = { id: number; run: RunRequest } | { id: number; download: true };
export type FromRunner =
  | { id: number; stage: string }
  | { id: number; report: RunReport }
  | { id: number; file: Blob }
  | { id: number; error: string };
