// Starts the language server, and registers the commands.

import * as vscode from "vscode";
import { Server } from "./client";
import { check, convert } from "./commands";
import type { Context } from "./context";
import { Reports } from "./report";
import { restarts, SECTION } from "./settings";

/** What other extensions, and the tests, may use. */
export interface Interface {
  readonly isRunning: boolean;
}

let server: Server | undefined;

export async function activate(extension: vscode.ExtensionContext): Promise<Interface> {
  const context: Context = {
    extension: extension.extensionUri,
    output: vscode.window.createOutputChannel(SECTION),
    log: vscode.window.createOutputChannel(`${SECTION} Language Server`, { log: true }),
  };
  const started = new Server(context);
  const reports = new Reports(context);
  server = started;
  extension.subscriptions.push(
    context.output,
    context.log,
    started,
    reports,
    vscode.commands.registerCommand("hlo2onnx.convert", (uri: unknown) => convert(context, uri)),
    vscode.commands.registerCommand("hlo2onnx.check", (uri: unknown) => check(context, uri)),
    vscode.commands.registerCommand("hlo2onnx.report", (uri: unknown) => reports.show(uri)),
    vscode.commands.registerCommand("hlo2onnx.restart", () => started.restart()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (restarts(change)) {
        void started.restart();
      }
    }),
  );
  await started.restart();
  return {
    get isRunning() {
      return started.isRunning;
    },
  };
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
