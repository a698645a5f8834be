/** The panel that runs the model in this browser. */

import { button, byId, el } from "./dom";
import { DEFAULT_SIZE, sizeNames } from "./dimensions";
import type { FileReport } from "./result";
import type { Comparison, FromRunner, OutputSummary, RunReport, RunRequest, ToRunner } from "./run_types";
import { table } from "./tables";
import { milliseconds } from "./words";

interface Waiting {
  resolve(message: FromRunner): void;
  reject(error: Error): void;
  stage(text: string): void;
}

/** The worker with the runtime, which starts on the first use, and anew after it died. */
class Runner {
  private worker: Worker | null = null;
  private next = 0;
  private readonly waiting = new Map<number, Waiting>();

  ask(message: { run: RunRequest } | { download: true }, stage: (text: string) => void): Promise<FromRunner> {
    const worker = (this.worker ??= this.start());
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, stage });
      worker.postMessage({ id, ...message } satisfies ToRunner);
    });
  }

  /** Ends what runs. A runtime that only waits stays, because it takes long to start. */
  interrupt(reason: string): void {
    if (this.waiting.size > 0) this.stop(reason);
  }

  stop(reason: string): void {
    this.worker?.terminate();
    this.worker = null;
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./run.worker.ts", import.meta.url), { type: "module", name: "runtime" });
    worker.onmessage = ({ data }: MessageEvent<FromRunner>) => {
      const waiting = this.waiting.get(data.id);
      if (!waiting) return;
      if ("stage" in data) return waiting.stage(data.stage);
      this.waiting.delete(data.id);
      if ("error" in data) waiting.reject(new Error(data.error));
      else waiting.resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.stop(`The runtime stopped: ${event.message || "the browser ended it, perhaps for want of memory"}. Press Run to start it again.`);
    };
    return worker;
  }
}

function number(value: number | null): string {
  return value === null ? "" : Number(value.toPrecision(6)).toString();
}

export class RunPanel {
  private readonly runner = new Runner();
  private model: Blob | null = null;
  private report: FileReport | null = null;
  private name = "model";
  private files: File[] = [];
  private readonly form = byId<HTMLFormElement>("run-form");
  private readonly go = byId<HTMLButtonElement>("run-go");
  private readonly stop = byId<HTMLButtonElement>("run-stop");
  private readonly status = byId("run-status");
  private readonly output = byId("run-output");
  private readonly sizes = byId("run-sizes");
  private readonly chosen = byId("run-chosen");

  constructor() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run();
    });
    this.stop.addEventListener("click", () => this.runner.stop("The run was stopped."));
    const choose = byId<HTMLInputElement>("run-files");
    choose.addEventListener("change", () => {
      this.files = [...(choose.files ?? [])];
      choose.value = "";
      this.showChosen();
    });
    byId("run-choose").addEventListener("click", () => choose.click());
    this.showChosen();
  }

  /** Takes the model of a new conversion. */
  show(model: Blob | null, report: FileReport, name: string): void {
    this.runner.interrupt("The model changed.");
    this.model = model;
    this.report = report;
    this.name = name;
    this.go.disabled = model === null;
    this.output.replaceChildren();
    this.status.textContent = model ? "" : "There is no model to run, because the program does not convert.";
    this.showSizes();
  }

  /** There is no program. */
  clear(): void {
    this.runner.interrupt("The model changed.");
    this.model = null;
    this.report = null;
    this.go.disabled = true;
    this.output.replaceChildren();
    this.status.textContent = "";
    this.showSizes();
  }

  private showChosen(): void {
    if (this.files.length === 0) {
      this.chosen.replaceChildren("random numbers");
      return;
    }
    const clear = button("Use random numbers", () => {
      this.files = [];
      this.showChosen();
    });
    this.chosen.replaceChildren(this.files.map((file) => file.name).join(", "), " ", clear);
  }

  private showSizes(): void {
    const before = this.sizeValues();
    const fields = sizeNames(this.report?.inputs ?? []).map((name) => {
      const field = el("input", { attributes: { type: "number", min: 0, step: 1, inputmode: "numeric", "data-size": name } });
      field.value = String(before[name] ?? DEFAULT_SIZE);
      return el("label", {}, el("span", { text: `Size of ${name}` }), field);
    });
    this.sizes.hidden = fields.length === 0;
    this.sizes.replaceChildren(el("legend", { text: "Sizes that are not fixed" }), ...fields);
  }

  private sizeValues(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const field of this.sizes.querySelectorAll<HTMLInputElement>("[data-size]")) {
      const value = Number(field.value);
      if (field.value !== "" && Number.isInteger(value) && value >= 0) values[field.dataset.size ?? ""] = value;
    }
    return values;
  }

  private async run(): Promise<void> {
    if (!this.model || !this.report) return;
    const weights = new Set(this.report.weights.filter(({ origin }) => origin === "argument").map(({ name }) => name));
    const request: RunRequest = {
      model: this.model,
      seed: Math.trunc(Number(byId<HTMLInputElement>("run-seed").value)) || 0,
      sizes: this.sizeValues(),
      files: this.files.map((file) => ({ name: file.name, data: file })),
      json: byId<HTMLTextAreaElement>("run-json").value,
      positional: this.report.inputs.map(({ name }) => name).filter((name) => !weights.has(name)),
    };
    // Another model may come meanwhile, and must not get the numbers of this one.
    const isCurrent = (): boolean => this.model === request.model;
    this.go.disabled = true;
    this.stop.hidden = false;
    this.output.replaceChildren();
    this.status.textContent = "Starting onnxruntime-web …";
    try {
      const message = await this.runner.ask({ run: request }, (stage) => (this.status.textContent = stage));
      if ("report" in message && isCurrent()) this.showReport(message.report);
    } catch (error) {
      if (isCurrent()) this.status.textContent = `The model did not run. ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.go.disabled = this.model === null;
      this.stop.hidden = true;
    }
  }

  private showReport(report: RunReport): void {
    const times: [string, string][] = [
      ["Loading", milliseconds(report.load)],
      ["First run", milliseconds(report.first)],
      [`Median of ${report.rounds}`, milliseconds(report.median)],
    ];
    const comparison = report.comparisons.length ? `, ${this.comparisonWords(report.comparisons)}` : "";
    this.status.textContent = `The model ran in ${milliseconds(report.median)}${comparison}.`;
    const figures = el("dl", { class: "figures" }, ...times.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value }))));
    const outputs = table<OutputSummary>(
      "Outputs",
      [
        { name: "Name", heads: true, cell: ({ name }) => name, key: ({ name }) => name },
        { name: "Type", class: "type", cell: ({ type, dims }) => `${type}[${dims.join(", ")}]` },
        { name: "First numbers", class: "numbers", cell: ({ first, dims }) => first.join(", ") + (dims.reduce((a, b) => a * b, 1) > first.length ? ", …" : "") },
        { name: "Min", numeric: true, cell: ({ min }) => number(min) },
        { name: "Max", numeric: true, cell: ({ max }) => number(max) },
        { name: "Mean", numeric: true, cell: ({ mean }) => number(mean) },
        { name: "NaN or infinite", numeric: true, cell: ({ odd }) => String(odd) },
      ],
      report.outputs,
      "output",
    );
    const inputs = table(
      "Inputs",
      [
        { name: "Name", heads: true, cell: ({ name }) => name },
        { name: "Type", class: "type", cell: ({ type, dims }) => `${type}[${dims.join(", ")}]` },
        { name: "From", cell: ({ from }) => from },
      ],
      report.inputs,
      "input",
    );
    const parts: HTMLElement[] = [figures];
    if (report.comparisons.length) parts.push(this.comparisons(report.comparisons));
    if (report.unused.length) {
      parts.push(el("p", { class: "elided", text: `The model has no input or output named ${report.unused.slice(0, 6).join(", ")}.` }));
    }
    parts.push(outputs, inputs, button("Download the outputs as JSON", () => void this.download()));
    parts.push(el("p", { class: "none", text: `onnxruntime-web ${report.version} on one thread. More threads or a graphics card are faster.` }));
    this.output.replaceChildren(...parts);
  }

  private comparisonWords(comparisons: Comparison[]): string {
    if (comparisons.some(({ reason }) => reason !== null)) return "and some outputs have another shape than those of the file";
    const largest = Math.max(...comparisons.map((comparison) => comparison.largest));
    return `the largest difference from the file is ${number(largest)}`;
  }

  private comparisons(comparisons: Comparison[]): HTMLElement {
    return table(
      "Compared with the outputs of the file",
      [
        { name: "Output", heads: true, cell: ({ name }) => name },
        { name: "Largest difference", numeric: true, cell: ({ reason, largest }) => reason ?? number(largest) },
        { name: "Relative to the largest value", numeric: true, cell: ({ reason, relative }) => (reason ? "" : number(relative)) },
      ],
      comparisons,
      "output",
    );
  }

  private async download(): Promise<void> {
    const { model, name } = this;
    try {
      const message = await this.runner.ask({ download: true }, () => {});
      if ("file" in message) save(message.file, `${name}.outputs.json`);
    } catch (error) {
      if (this.model === model) this.status.textContent = `The outputs were not saved. ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

/** Lets the browser save a file. */
export function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = el("a", { attributes: { href: url, download: name } });
  link.click();
  // The browser needs the address until the download has begun.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
