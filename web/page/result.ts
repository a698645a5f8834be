/** What the compiler says about a program. The names are those of its JSON; docs/check.md describes the report. */

export type Severity = "error" | "warning" | "advice";
export type Verdict = "exact" | "approximate" | "refused";

export interface Pane {
  text: string;
  /** Long literals are shortened, so the text is not the program. */
  elided: boolean;
  disassembled: boolean;
  bytes: number;
}

export interface Options {
  opset?: number;
  target?: string;
  dims?: string[];
  dynamic?: string[];
  float16?: boolean;
  strictNan?: boolean;
  keepFunctions?: boolean;
  debugInfo?: boolean;
  weightsPrefix?: string;
  weightsByOrder?: boolean;
}

export interface OpCount {
  op: string;
  count: number;
}

export interface Size {
  elements: number | null;
  bytes: number | null;
  symbolic_bytes: string | null;
}

export interface TensorReport {
  name: string;
  element: string;
  dims: string[];
  size: Size;
}

export interface WeightReport extends TensorReport {
  origin: string;
  module: string | null;
}

export interface SourceOp extends OpCount {
  supported: boolean;
  refused: number;
  becomes: OpCount[];
  note: string;
}

export interface ModuleReport {
  path: string;
  depth: number;
  ops: number;
  parameters: number;
  bytes: number;
  weights: number[];
}

export interface Placement {
  target: string;
  fallback: string | null;
  nodes: number;
  missing: number;
  kinds: { op: string; element: string; why: string; count: number }[];
}

export interface FileReport {
  file: string;
  verdict: Verdict;
  opset: number | null;
  placement: Placement | null;
  counts: Record<Severity, number>;
  differences: { kind: string; message: string; ops: number }[];
  inputs: TensorReport[];
  outputs: TensorReport[];
  weights: WeightReport[];
  bound: number;
  parameters: number;
  weight_bytes: number;
  source_ops: SourceOp[];
  nodes: OpCount[];
  modules: ModuleReport[];
}

export interface PythonPlace {
  file: string;
  line: number;
  column: number;
  function: string | null;
}

export interface Place {
  from: number;
  to: number;
  line: number;
  column: number;
  label: string;
}

export interface Problem {
  code: string;
  title: string;
  severity: Severity;
  message: string;
  help: string | null;
  notes: string[];
  modulePath: string | null;
  python: PythonPlace | null;
  count: number;
  places: Place[];
  lines: number[];
}

/** A node of the ONNX model. Line 0 means that no op of the text is known for it. */
export interface ModelNode {
  op: string;
  name: string;
  module: string;
  /** The boxes of the picture that hide it when they are folded, outermost first. */
  groups: string[];
  type: string;
  from: number;
  to: number;
  line: number;
  source: string;
  python: string | null;
}

export interface Result {
  optionProblem?: string;
  report: FileReport;
  problems: Problem[];
  /** The manual pages of the codes, as HTML of the compiler's own. */
  explanations: Record<string, string>;
  nodes: ModelNode[];
  /** What the picture shows unfolded at first. */
  unfolded: string[];
  bytes: number;
  timings: [string, number][];
}

export interface Picture {
  svg: string;
  width: number;
  height: number;
}
