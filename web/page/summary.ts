/** The top of the page: verdict, figures, what goes on, and what went wrong. */

import { byId, el } from "./dom";
import type { Progress } from "./protocol";
import type { Result } from "./result";
import { bytes, grouped, milliseconds, verdictWords } from "./words";

/** Shows what goes on, and tells screen readers. */
export function status(text: string): void {
  byId("status").textContent = text;
  byId("failure").hidden = true;
}

/** Tells something to screen readers only. */
export function announce(text: string): void {
  byId("announcements").textContent = text;
}

/** Tells what went wrong. */
export function failure(what: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  byId("status").textContent = "";
  byId("failure").hidden = false;
  byId("failure-text").replaceChildren(el("b", { text: what }), " ", why);
}

/** Shows how much of a file was read; `null` ends it. */
export function progress(told: Progress | null): void {
  const meter = byId<HTMLProgressElement>("progress");
  meter.hidden = told === null;
  if (!told) return;
  meter.max = told.total;
  meter.value = told.done;
  byId("status").textContent = `Reading ${told.file}: ${bytes(told.done)} of ${bytes(told.total)}`;
}

/** The top for a file that is not a program. */
export function showUnread(name: string): void {
  byId("top").className = "top open refused";
  byId("title").textContent = "Could not be read";
  byId("file-name").textContent = name;
  document.title = `${name} · hlo2onnx`;
  for (const id of ["figures", "verdict-differences", "unbound", "placement", "download"]) byId(id).hidden = true;
}

export function showSummary(name: string, result: Result, took: number): void {
  const { report } = result;
  byId("top").className = `top open ${report.verdict}`;
  byId("title").textContent = verdictWords(report.verdict);
  byId("file-name").textContent = name;
  document.title = `${name} · hlo2onnx`;
  const isConverted = report.verdict !== "refused";
  const figures: [string, string][] = [
    ["Nodes", isConverted ? grouped(result.nodes.length) : ""],
    ["Opset", isConverted && report.opset !== null ? String(report.opset) : ""],
    ["ONNX file", isConverted ? bytes(result.bytes) : ""],
    ["Parameters", report.parameters > 0 ? grouped(report.parameters) : ""],
    [isConverted ? "Converted in" : "Checked in", milliseconds(took)],
  ];
  byId("download").hidden = !isConverted;
  byId("figures").replaceChildren(...figures.filter(([, value]) => value).map(([title, value]) => el("div", {}, el("dt", { text: title }), el("dd", { text: value }))));
  byId("figures").hidden = false;
  const stages = result.timings.map(([stage, time]) => `${stage}: ${milliseconds(time)}`);
  byId("stages").textContent = stages.join(" · ");
  const differences = report.differences.map(({ message, ops }) => el("li", { text: `${message.replaceAll("`", "")}${ops > 1 ? ` (${grouped(ops)} ops)` : ""}` }));
  byId("verdict-differences").replaceChildren(...differences);
  byId("verdict-differences").hidden = differences.length === 0;
  const unbound = report.weights.filter(({ origin }) => origin === "argument").length;
  byId("unbound").hidden = !isConverted || unbound === 0;
  byId("unbound").textContent =
    unbound === 1
      ? "1 weight is still an input of the model. Add its .safetensors, .npz or .msgpack file to store it in it."
      : `${grouped(unbound)} weights are still inputs of the model. Add their .safetensors, .npz or .msgpack file to store them in it.`;
  const { placement } = report;
  byId("placement").hidden = !placement || placement.missing === 0;
  if (placement && placement.missing > 0) {
    const where = placement.fallback ? `they run on the ${placement.fallback}` : "it refuses the model";
    byId("placement").textContent = `${placement.target} has no kernel for ${grouped(placement.missing)} of ${grouped(placement.nodes)} nodes: ${where}.`;
  }
}
