/** The tables: what ops became and why, sizes by module, inputs, outputs, weights. */

import { bar, button, byId, el } from "./dom";
import type { FileReport, ModuleReport, OpCount, SourceOp, TensorReport, WeightReport } from "./result";
import { table, type Column } from "./tables";
import { bytes, counted, grouped, typeOf } from "./words";

function becomes(counts: OpCount[]): HTMLElement | null {
  if (counts.length === 0) return el("span", { class: "gone", text: "no node of its own" });
  const nodes = counts.map(({ op, count }) => el("span", { class: "node" }, el("b", { text: grouped(count) }), ` ${op}`));
  return el("span", {}, ...nodes.flatMap((node, index) => [index > 0 ? " " : "", node]));
}

/** Search words for a kind of op or a module, which the graph looks for. */
export interface ContentsEvents {
  find(words: string): void;
}

function opsTable(report: FileReport, events: ContentsEvents): HTMLElement {
  const largest = Math.max(1, ...report.source_ops.map(({ count }) => count));
  // What the other ops would become is not known then, so that only those that hinder say something.
  const isRefused = report.verdict === "refused";
  const hinders = (row: SourceOp): boolean => !row.supported || row.refused > 0;
  const noteOf = (row: SourceOp): string => (isRefused && !hinders(row) ? "" : row.note);
  const rows = [...report.source_ops.filter(hinders), ...report.source_ops.filter((row) => !hinders(row))];
  const columns: Column<SourceOp>[] = [
    {
      name: "Op",
      heads: true,
      class: "op",
      cell: ({ op }) => button(op, () => events.find(op), { class: "link", attributes: { title: "Find its nodes in the graph" } }),
      key: ({ op }) => op,
    },
    { name: "Count", numeric: true, cell: ({ count }) => grouped(count), key: ({ count }) => count },
    { name: "", class: "chart", cell: ({ count }) => bar(count / largest) },
    {
      name: "Becomes",
      class: "becomes",
      cell: (row) => {
        if (!row.supported) return el("span", { class: "missing", text: "not supported" });
        if (row.refused > 0) return el("span", { class: "missing", text: `${grouped(row.refused)} refused` });
        return isRefused ? null : becomes(row.becomes);
      },
      key: ({ becomes: nodes }) => nodes.reduce((sum, { count }) => sum + count, 0),
      numeric: false,
    },
    { name: "Note", class: "why", cell: noteOf, key: noteOf },
  ];
  return table("What each op became, and why", columns, rows, "op");
}

function nodesTable(report: FileReport, events: ContentsEvents): HTMLElement {
  const largest = Math.max(1, ...report.nodes.map(({ count }) => count));
  const columns: Column<OpCount>[] = [
    { name: "ONNX op", heads: true, class: "op", cell: ({ op }) => button(op, () => events.find(op), { class: "link" }), key: ({ op }) => op },
    { name: "Count", numeric: true, cell: ({ count }) => grouped(count), key: ({ count }) => count },
    { name: "", class: "chart", cell: ({ count }) => bar(count / largest) },
  ];
  return table("Nodes of the model", columns, report.nodes, "op");
}

function modulesTable(report: FileReport, events: ContentsEvents): HTMLElement {
  const total = Math.max(1, report.parameters);
  const ops = Math.max(1, ...report.modules.map((module) => module.ops));
  const columns: Column<ModuleReport>[] = [
    {
      name: "Module",
      heads: true,
      cell: ({ path, depth }) => {
        const name = button(path.split("/").pop() ?? path, () => events.find(path), { class: "link", attributes: { title: path } });
        name.style.marginInlineStart = `${depth * 1.15}rem`;
        return name;
      },
      key: ({ path }) => path,
    },
    { name: "Ops", numeric: true, cell: (row) => grouped(row.ops), key: (row) => row.ops },
    { name: "", class: "chart", cell: (row) => bar(report.parameters > 0 ? row.parameters / total : row.ops / ops) },
  ];
  // Without weights in the report the columns would be full of zeros.
  if (report.parameters > 0) {
    columns.push(
      { name: "Parameters", numeric: true, cell: (row) => grouped(row.parameters), key: (row) => row.parameters },
      { name: "Size", numeric: true, cell: (row) => bytes(row.bytes), key: (row) => row.bytes },
    );
  }
  return table("Sizes by module, with the modules below it", columns, report.modules, "module");
}

function sizeCell(tensor: TensorReport): string {
  const { bytes: known, symbolic_bytes: symbolic } = tensor.size;
  return known !== null ? bytes(known) : symbolic !== null ? `${symbolic} B` : "unknown";
}

function tensorColumns<Row extends TensorReport>(): Column<Row>[] {
  return [
    { name: "Name", heads: true, cell: ({ name }) => name, key: ({ name }) => name },
    { name: "Type", class: "type", cell: typeOf, key: typeOf },
    { name: "Size", numeric: true, cell: sizeCell, key: ({ size }) => size.bytes ?? -1 },
  ];
}

export function showContents(report: FileReport, events: ContentsEvents): void {
  const ops: HTMLElement[] = [opsTable(report, events)];
  if (report.nodes.length) ops.push(nodesTable(report, events));
  byId("ops").replaceChildren(...ops);

  const modules = report.modules.length
    ? modulesTable(report, events)
    : el("p", { class: "none", text: "The text has no locations, so no module is known. Print it with locations: lowered.as_text(debug_info=True)." });
  byId("modules").replaceChildren(modules);

  const parts: HTMLElement[] = [
    table("Inputs", tensorColumns(), report.inputs, "input"),
    table("Outputs", tensorColumns(), report.outputs, "output"),
  ];
  if (report.bound > 0) {
    parts.push(el("p", { class: "none", text: `${counted(report.bound, "argument")} got their values from the files of weights.` }));
  }
  if (report.weights.length) {
    const columns: Column<WeightReport>[] = [
      ...tensorColumns<WeightReport>(),
      { name: "Module", cell: ({ module }) => module ?? "", key: ({ module }) => module ?? "" },
      { name: "From", cell: ({ origin }) => origin, key: ({ origin }) => origin },
    ];
    parts.push(table(`Weights: ${counted(report.parameters, "parameter")}, ${bytes(report.weight_bytes)}`, columns, report.weights, "weight"));
  }
  byId("tensors").replaceChildren(...parts);
}
