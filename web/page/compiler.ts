/** The page's side of the compiler: sends commands to the worker, and starts a new one if it dies. */

import type { Command, FromWorker, Kind, Progress, Replies } from "./protocol";
import type { ModelNode } from "./result";
import type { Piece } from "./svg_pieces";

/** The compiler stopped while it worked. A new one runs already, and has no program. */
export class Stopped extends Error {}

interface Waiting {
  kind: Kind;
  nodes: ModelNode[];
  pieces: Piece[];
  resolve(reply: Replies[Kind]): void;
  reject(error: Error): void;
  progress(progress: Progress): void;
}

export class Compiler {
  private worker: Worker;
  private next = 0;
  private readonly waiting = new Map<number, Waiting>();

  /** `onStopped` is told that the worker died, also when no command waits. */
  constructor(private readonly onStopped: (reason: string) => void) {
    this.worker = this.start();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./compiler.worker.ts", import.meta.url), { type: "module", name: "compiler" });
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.worker) this.restart(event.message || "the browser ended it");
    };
    return worker;
  }

  private receive(message: FromWorker): void {
    const waiting = this.waiting.get(message.id);
    if (!waiting) return;
    if ("progress" in message) return waiting.progress(message.progress);
    if ("nodes" in message) return void append(waiting.nodes, message.nodes);
    if ("pieces" in message) return void append(waiting.pieces, message.pieces);
    if ("stopped" in message) return this.restart(message.stopped);
    this.waiting.delete(message.id);
    if ("error" in message) return waiting.reject(new Error(message.error));
    const { reply } = message;
    if ("result" in reply) reply.result.nodes = waiting.nodes;
    if ("pieces" in reply) reply.pieces = waiting.pieces;
    waiting.resolve(reply);
  }

  private restart(reason: string): void {
    this.worker.onmessage = null;
    this.worker.terminate();
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.worker = this.start();
    for (const { reject } of waiting) reject(new Stopped(reason));
    this.onStopped(reason);
  }

  ask<K extends Kind>(
    command: Extract<Command, { kind: K }>,
    progress: (progress: Progress) => void = () => {},
  ): Promise<Replies[K]> {
    const id = this.next++;
    return new Promise<Replies[K]>((resolve, reject) => {
      this.waiting.set(id, {
        kind: command.kind,
        nodes: [],
        pieces: [],
        // The worker answers each kind of command with its own reply.
        resolve: (reply) => resolve(reply as Replies[K]),
        reject,
        progress,
      });
      this.worker.postMessage({ id, command });
    });
  }
}

/** Adds items without spreading them over a call's arguments, of which there may be too many. */
function append<T>(to: T[], items: T[]): void {
  for (const item of items) to.push(item);
}
