/** The page's side of the compiler: sends commands to the worker, and starts a new one if it dies. */

import type { Command, FromWorker, Kind, Progress, Replies } from "./protocol";
import type { ModelNode } from "./result";
import type { Piece } from "./svg_pieces";

/** The compiler stopped while it worked. A new one runs already, and has no program. */
export class Stopped extends Error {}

/** The worker ended before it answered anything, so that another one would end too. */
export class NotStarted extends Error {}

interface Waiting {
  nodes: ModelNode[];
  pieces: Piece[];
  resolve(reply: Replies[Kind]): void;
  reject(error: Error): void;
  progress(progress: Progress): void;
}

export class Compiler {
  /** Null if the last worker did not start; the next command tries again. */
  private worker: Worker | null;
  private next = 0;
  private readonly waiting = new Map<number, Waiting>();

  /** `onStopped` is told that the worker died, also when no command waits. */
  constructor(private readonly onStopped: (reason: string) => void) {
    this.worker = this.start();
  }

  private start(): Worker {
    let hasAnswered = false;
    const worker = new Worker(new URL("./compiler.worker.ts", import.meta.url), { type: "module", name: "compiler" });
    const ended = (reason: string): void => {
      worker.onmessage = null;
      worker.terminate();
      if (worker === this.worker) this.ended(reason, hasAnswered);
    };
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ("stopped" in data) return ended(data.stopped);
      hasAnswered ||= "reply" in data;
      this.receive(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      ended(event.message || (hasAnswered ? "the browser ended it" : "its script could not be loaded"));
    };
    return worker;
  }

  private receive(message: Exclude<FromWorker, { stopped: string }>): void {
    const waiting = this.waiting.get(message.id);
    if (!waiting) return;
    if ("progress" in message) return waiting.progress(message.progress);
    if ("nodes" in message) return void append(waiting.nodes, message.nodes);
    if ("pieces" in message) return void append(waiting.pieces, message.pieces);
    this.waiting.delete(message.id);
    if ("error" in message) return waiting.reject(new Error(message.error));
    const { reply } = message;
    if ("result" in reply) reply.result.nodes = waiting.nodes;
    if ("pieces" in reply) reply.pieces = waiting.pieces;
    waiting.resolve(reply);
  }

  /** Starts a new worker, unless the one that ended never worked. */
  private ended(reason: string, hasAnswered: boolean): void {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.worker = hasAnswered ? this.start() : null;
    for (const { reject } of waiting) reject(hasAnswered ? new Stopped(reason) : new NotStarted(reason));
    if (hasAnswered) this.onStopped(reason);
  }

  ask<K extends Kind>(
    command: Extract<Command, { kind: K }>,
    progress: (progress: Progress) => void = () => {},
  ): Promise<Replies[K]> {
    const worker = (this.worker ??= this.start());
    const id = this.next++;
    return new Promise<Replies[K]>((resolve, reject) => {
      this.waiting.set(id, {
        nodes: [],
        pieces: [],
        // The worker answers each kind of command with its own reply.
        resolve: (reply) => resolve(reply as Replies[K]),
        reject,
        progress,
      });
      worker.postMessage({ id, command });
    });
  }
}

/** Adds items without spreading them over a call's arguments, of which there may be too many. */
function append<T>(to: T[], items: T[]): void {
  for (const item of items) to.push(item);
}
