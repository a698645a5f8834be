// What the parts of the extension share.

import * as path from "node:path";
import * as vscode from "vscode";
import { findProgram, NotFound, type Program } from "./program";
import { run, type Outcome } from "./run";
import { SECTION, settings } from "./settings";

export interface Context {
  /** The folder of the extension. */
  readonly extension: vscode.Uri;
  /** What the commands write. */
  readonly output: vscode.OutputChannel;
  /** What the language server and its client log. */
  readonly log: vscode.LogOutputChannel;
}

/** The program, or nothing after a message that says what to do. */
export async function programOrMessage(context: Context): Promise<Program | undefined> {
  try {
    return await findProgram(context.extension);
  } catch (error) {
    if (!(error instanceof NotFound)) {
      throw error;
    }
    context.log.error(error.message);
    // The message may stay for long, and nothing waits for it.
    void offerHelp(context, error.message);
    return undefined;
  }
}

async function offerHelp(context: Context, message: string): Promise<void> {
  const [install, open] = ["How to Install", "Open Settings"];
  const chosen = await vscode.window.showErrorMessage(`${message} Install it, or set its path.`, install, open);
  if (chosen === install) {
    const readme = vscode.Uri.joinPath(context.extension, "README.md");
    await vscode.commands.executeCommand("markdown.showPreview", readme);
  } else if (chosen === open) {
    await vscode.commands.executeCommand("workbench.action.openSettings", `${SECTION}.path`);
  }
}

/** The text that a command is about: that of the menu, or of the active editor. It is saved first. */
export async function chosenText(uri: unknown): Promise<vscode.Uri | undefined> {
  const active = vscode.window.activeTextEditor?.document;
  const chosen = uri instanceof vscode.Uri ? uri : active?.languageId === "mlir" ? active.uri : undefined;
  if (chosen === undefined) {
    void vscode.window.showErrorMessage("hlo2onnx: open an MLIR text first.");
    return undefined;
  }
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === chosen.toString());
  if (document?.isUntitled) {
    void vscode.window.showErrorMessage("hlo2onnx: save the text first.");
    return undefined;
  }
  if (document?.isDirty && !(await document.save())) {
    return undefined;
  }
  return chosen;
}

/** The folder that relative paths start from: that of the workspace, as in the language server. */
export function folderOf(text: vscode.Uri): string {
  return vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? path.dirname(text.fsPath);
}

/** Runs a subcommand on a text with the options of the settings, while the editor shows that it runs. */
export async function runOn(
  context: Context,
  text: vscode.Uri,
  title: string,
  words: readonly string[],
): Promise<Outcome | undefined> {
  const program = await programOrMessage(context);
  if (program === undefined) {
    return undefined;
  }
  const { arguments: shared, conversionArguments } = settings(text);
  const all = [...words, "--color", "never", ...shared, ...conversionArguments];
  context.output.appendLine(`> hlo2onnx ${all.join(" ")}`);
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  const outcome = await vscode.window.withProgress(options, async (_, token) => {
    try {
      return await run(program, all, folderOf(text), token);
    } catch (error) {
      return { status: -1, output: `${program.command}: ${String(error)}\n` };
    }
  });
  context.output.appendLine(outcome.output);
  return outcome;
}
