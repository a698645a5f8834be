// What the tests share.

import * as assert from "node:assert";
import * as vscode from "vscode";
import type { Interface } from "../../src/extension";

/** Waits until something holds, and returns it. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > end) {
      assert.fail(`there is no ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function uri(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  assert.ok(folder, "no folder is open");
  return vscode.Uri.joinPath(folder, name);
}

/** Opens a text and shows it. */
export async function open(name: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument(uri(name));
  await vscode.window.showTextDocument(document);
  return document;
}

/** The extension, which works. */
export async function running(): Promise<Interface> {
  const extension = vscode.extensions.getExtension<Interface>("hlo2onnx.hlo2onnx");
  assert.ok(extension, "the extension is not there");
  const answers = await extension.activate();
  await eventually("server", () => answers.isRunning);
  return answers;
}

/** Replaces a part of a text. Undoing it by a command would need the focus. */
export async function replace(document: vscode.TextDocument, range: vscode.Range, text: string): Promise<void> {
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, range, text);
  await vscode.workspace.applyEdit(edit);
}

/** The place of a word in a text, `skip` characters after its start. */
export function placeOf(document: vscode.TextDocument, word: string, skip = 0): vscode.Position {
  const offset = document.getText().indexOf(word);
  assert.ok(offset >= 0, `the text lacks ${word}`);
  return document.positionAt(offset + skip);
}

export function textAt(document: vscode.TextDocument, range: vscode.Range): string {
  return document.getText(range);
}

/** The code of a diagnostic, which is a link to its manual page where the server has one. */
export function codeOf({ code }: vscode.Diagnostic): string | number | undefined {
  return typeof code === "object" ? code.value : code;
}

type Window = typeof vscode.window;

/** Replaces a function of the window while something runs. */
export async function replacing<K extends "showErrorMessage" | "showInformationMessage" | "showSaveDialog", T>(
  name: K,
  replacement: (...words: string[]) => unknown,
  action: () => Promise<T>,
): Promise<T> {
  const original = vscode.window[name];
  vscode.window[name] = (async (...words: string[]) => replacement(...words)) as unknown as Window[K];
  try {
    return await action();
  } finally {
    vscode.window[name] = original;
  }
}

/** The errors that are shown while something runs, with their buttons. */
export async function errorsOf(action: () => Promise<unknown>): Promise<string[][]> {
  const shown: string[][] = [];
  await replacing("showErrorMessage", (...words) => void shown.push(words), action);
  return shown;
}
