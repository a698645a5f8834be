/** The messages between the page and the worker that runs the compiler. */

import type { ModelNode, Options, Pane, Problem, Result } from "./result";
import type { Piece } from "./svg_pieces";

/** A file by name. Its bytes stay where the browser has them until the worker reads them. */
export interface NamedFile {
  name: string;
  data: Blob;
}

export type Command =
  /** The first worker prepares itself for the first program; one that replaces a dead one does not. */
  | { kind: "start"; isFirst: boolean }
  | { kind: "load"; program: NamedFile; weights: NamedFile[] }
  | { kind: "weights"; weights: NamedFile[] }
  | { kind: "convert"; options: Options }
  | { kind: "graph"; unfolded: string[] };

export interface Started {
  version: string;
  targets: string[];
}

export interface Loaded {
  pane: Pane;
  weightProblems: Problem[];
}

export interface Converted {
  result: Result;
  /** The ONNX file, or null if the program was refused. */
  model: Blob | null;
  /** Milliseconds of the whole conversion. */
  milliseconds: number;
}

/** The picture, which has no pieces if there is no model. */
export interface Drawn {
  pieces: Piece[];
  width: number;
  height: number;
}

/** The reply to each kind of command. */
export interface Replies {
  start: Started;
  load: Loaded;
  weights: Problem[];
  convert: Converted;
  graph: Drawn;
}

export type Kind = keyof Replies;

export interface Progress {
  file: string;
  done: number;
  total: number;
}

export type FromWorker =
  | { id: number; progress: Progress }
  | { id: number; nodes: ModelNode[] }
  | { id: number; pieces: Piece[] }
  | { id: number; reply: Replies[Kind] }
  | { id: number; error: string }
  | { id: number; stopped: string };

export interface ToWorker {
  id: number;
  command: Command;
}
