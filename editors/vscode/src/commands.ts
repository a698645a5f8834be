// The commands that convert and check.

import { stat } from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";
import { chosenText, runOn, type Context } from "./context";

/** Asks for a place, and writes the model there. Returns the model. */
export async function convert(context: Context, uri: unknown): Promise<vscode.Uri | undefined> {
  const text = await chosenText(uri);
  if (text === undefined) {
    return undefined;
  }
  const model = await vscode.window.showSaveDialog({
    defaultUri: text.with({ path: `${text.path.replace(/\.mlir$/, "")}.onnx` }),
    filters: { ONNX: ["onnx"] },
    saveLabel: "Convert",
    title: "The ONNX model",
  });
  if (model === undefined) {
    return undefined;
  }
  const name = path.basename(text.fsPath);
  const words = ["convert", text.fsPath, "-o", model.fsPath];
  const outcome = await runOn(context, text, `Converting ${name}`, words);
  if (outcome?.status === 0) {
    const { size } = await stat(model.fsPath);
    const parts = [...remarks(outcome.output), bytes(size)];
    void showModel(context, model, `${path.basename(model.fsPath)}: ${parts.join(", ")}`);
    return model;
  }
  if (outcome !== undefined) {
    void showFailure(context, text, outcome.status, `${name} does not convert.`);
  }
  return undefined;
}

/** Reports all problems and the contents of a text. Returns whether it converts. */
export async function check(context: Context, uri: unknown): Promise<boolean | undefined> {
  const text = await chosenText(uri);
  if (text === undefined) {
    return undefined;
  }
  const outcome = await runOn(context, text, `Checking ${path.basename(text.fsPath)}`, ["check", text.fsPath]);
  if (outcome?.status === undefined) {
    return undefined;
  }
  context.output.show(true);
  return outcome.status === 0;
}

/** Tells that a command did not succeed. Problems of the text are shown by the server, if the text is open. */
export async function showFailure(
  context: Context,
  text: vscode.Uri,
  status: number | undefined,
  message: string,
): Promise<void> {
  if (status === undefined) {
    // The user has canceled.
    return;
  }
  const [problems, output] = ["Show Problems", "Show Output"];
  const hasProblems = vscode.languages.getDiagnostics(text).length > 0;
  const actions = hasProblems ? [problems, output] : [output];
  const chosen = await vscode.window.showErrorMessage(`hlo2onnx: ${message}`, ...actions);
  if (chosen === problems) {
    await vscode.window.showTextDocument(text);
    await vscode.commands.executeCommand("workbench.actions.view.problems");
  } else if (chosen === output) {
    context.output.show();
  }
}

async function showModel(context: Context, model: vscode.Uri, message: string): Promise<void> {
  const [reveal, output] = ["Show in Explorer", "Show Output"];
  const chosen = await vscode.window.showInformationMessage(message, reveal, output);
  if (chosen === reveal) {
    await vscode.commands.executeCommand("revealInExplorer", model);
  } else if (chosen === output) {
    context.output.show();
  }
}

/** What is told of the output: warnings and the number of nodes. */
function remarks(output: string): string[] {
  const warnings = output.match(/^warning\[/gm)?.length ?? 0;
  const nodes = /^ +nodes +(\d+)/m.exec(output)?.[1];
  return [
    ...(warnings > 0 ? [`${warnings} ${warnings === 1 ? "warning" : "warnings"}`] : []),
    ...(nodes !== undefined ? [`${nodes} nodes`] : []),
  ];
}

function bytes(size: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(size, 1)) / 10), units.length - 1);
  return `${power === 0 ? size : (size / 2 ** (10 * power)).toFixed(1)} ${units[power]}`;
}
