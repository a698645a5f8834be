/** The worker that runs the compiler, so that the page never waits for it. */

import init, { Bytes, Program, targets, version } from "../generated/hlo2onnx_web";
import type { Command, Converted, Drawn, FromWorker, Kind, Loaded, NamedFile, Replies, Started, ToWorker } from "./protocol";
import type { Options, Pane, Picture, Problem, Result } from "./result";
import { WARM_UP } from "./warm_up";
import { cut } from "./svg_pieces";

/** Nodes of one message. The page copies a message in one go, so it must be small. */
const NODES = 4_000;
/** Pieces of a picture of one message. */
const PIECES = 8;
/** Bytes of the ONNX file that are gathered before they become a part of the blob. */
const PART = 4 << 20;
/** Bytes of a file between two messages of progress. */
const STEP = 4 << 20;

const scope = self as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  close(): void;
};

let program: Program | null = null;
const started = init();

/** Reads a file in chunks into the compiler's memory; no chunk outlives its turn. */
async function read(id: number, file: NamedFile): Promise<Bytes> {
  const total = file.data.size;
  const bytes = new Bytes(total);
  const reader = file.data.stream().getReader();
  let done = 0;
  let told = 0;
  for (;;) {
    const { value, done: ended } = await reader.read();
    if (ended) break;
    bytes.push(value);
    done += value.length;
    if (done - told >= STEP) {
      told = done;
      scope.postMessage({ id, progress: { file: file.name, done, total } });
    }
  }
  return bytes;
}

async function addWeights(id: number, files: NamedFile[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const file of files) {
    if (!program) throw new Error("No program is open.");
    problems.push(...(JSON.parse(program.addWeights(file.name, await read(id, file))) as Problem[]));
  }
  return problems;
}

async function load(id: number, file: NamedFile, weights: NamedFile[]): Promise<Loaded> {
  // The old program is freed first: two large ones need not fit at the same time.
  program?.free();
  program = null;
  program = Program.open(file.name, await read(id, file));
  const weightProblems = await addWeights(id, weights);
  return { pane: JSON.parse(program.pane()) as Pane, weightProblems };
}

/** Collects the ONNX file as parts of a blob, which the browser may keep outside of this process. */
class Parts {
  private readonly parts: Blob[] = [];
  private chunks: BlobPart[] = [];
  private size = 0;

  readonly write = (chunk: Uint8Array): void => {
    // The compiler hands over a copy of its own memory, so that a part can be kept as it is.
    this.chunks.push(chunk as Uint8Array<ArrayBuffer>);
    this.size += chunk.length;
    if (this.size >= PART) this.flush();
  };

  private flush(): void {
    if (this.size > 0) this.parts.push(new Blob(this.chunks));
    this.chunks = [];
    this.size = 0;
  }

  blob(): Blob {
    this.flush();
    return new Blob(this.parts, { type: "application/octet-stream" });
  }
}

function convert(id: number, options: Options): Converted {
  if (!program) throw new Error("No program is open.");
  const parts = new Parts();
  const before = performance.now();
  const json = program.convert(JSON.stringify(options), parts.write);
  const milliseconds = performance.now() - before;
  const result = JSON.parse(json) as Result;
  if (result.optionProblem !== undefined) return { result, model: null, milliseconds };
  for (let from = 0; from < result.nodes.length; from += NODES) {
    scope.postMessage({ id, nodes: result.nodes.slice(from, from + NODES) });
  }
  result.nodes = [];
  const model = result.report.verdict === "refused" ? null : parts.blob();
  return { result, model, milliseconds };
}

function graph(id: number, unfolded: string[]): Drawn {
  if (!program) throw new Error("No program is open.");
  const picture = JSON.parse(program.graph(JSON.stringify(unfolded))) as Picture | null;
  if (!picture) return { pieces: [], width: 0, height: 0 };
  // Each element can take the focus. The page puts one at a time into the order of the Tab key.
  const pieces = cut(picture.svg.replaceAll('tabindex="0"', 'tabindex="-1"'));
  for (let from = 0; from < pieces.length; from += PIECES) {
    scope.postMessage({ id, pieces: pieces.slice(from, from + PIECES) });
  }
  return { pieces: [], width: picture.width, height: picture.height };
}

async function answer(id: number, command: Command): Promise<Replies[Kind]> {
  await started;
  switch (command.kind) {
    case "start":
      return { version: version(), targets: JSON.parse(targets()) as string[] } satisfies Started;
    case "load":
      return load(id, command.program, command.weights);
    case "weights":
      program?.clearWeights();
      return addWeights(id, command.weights);
    case "convert":
      return convert(id, command.options);
    case "graph":
      return graph(id, command.unfolded);
  }
}

/** Makes the browser compile what each conversion calls. It happens while the user looks for a file. */
function warmUp(): void {
  const text = new TextEncoder().encode(WARM_UP);
  const bytes = new Bytes(text.length);
  bytes.push(text);
  const small = Program.open("model.mlir", bytes);
  small.convert("{}", () => {});
  small.graph("[]");
  small.free();
}

// Commands run one after the other: a file that is read must not mix with the next one.
let queue = Promise.resolve();

scope.onmessage = ({ data: { id, command } }) => {
  queue = queue.then(async () => {
    try {
      scope.postMessage({ id, reply: await answer(id, command) });
      if (command.kind === "start" && command.isFirst) warmUp();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // After a trap the memory of the compiler is in an unknown state.
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
        scope.postMessage({ id, stopped: message });
        scope.close();
      } else {
        scope.postMessage({ id, error: message });
      }
    }
  });
};
