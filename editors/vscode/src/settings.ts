// The settings of the extension.

import * as vscode from "vscode";

export const SECTION = "hlo2onnx";

export interface Settings {
  /** The program, or nothing if the extension looks for it. */
  readonly path: string;
  /** Options of the language server and the commands. */
  readonly arguments: readonly string[];
  /** Options of the commands only. */
  readonly conversionArguments: readonly string[];
}

export function settings(scope?: vscode.Uri): Settings {
  const values = vscode.workspace.getConfiguration(SECTION, scope ?? null);
  return {
    path: values.get<string>("path", "").trim(),
    arguments: words(values.get<unknown>("arguments")),
    conversionArguments: words(values.get<unknown>("conversionArguments")),
  };
}

/** Whether a change concerns the language server. */
export function restarts(change: vscode.ConfigurationChangeEvent): boolean {
  return ["path", "arguments"].some((name) => change.affectsConfiguration(`${SECTION}.${name}`));
}

function words(value: unknown): string[] {
  // Nothing checks the types in settings.json.
  return Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];
}
