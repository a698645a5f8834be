// The connection to the language server.

import * as vscode from "vscode";
import { LanguageClient, RevealOutputChannelOn, State, TransportKind } from "vscode-languageclient/node";
import { programOrMessage, type Context } from "./context";
import type { Program } from "./program";
import { run } from "./run";
import { SECTION, settings } from "./settings";

/** The exit status if the command line is wrong. */
const WRONG_USAGE = 2;

/** One server at a time. */
export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private readonly status = vscode.languages.createLanguageStatusItem(SECTION, { language: "mlir" });
  /** Starts and stops follow one another, so that quick changes of settings leave one server. */
  private queue: Promise<void> = Promise.resolve();

  constructor(private readonly context: Context) {
    this.status.name = SECTION;
    this.status.command = { command: "hlo2onnx.restart", title: "Restart the Server" };
  }

  /** Starts the server, or starts it anew. */
  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.end();
      await this.begin();
    });
  }

  stop(): Promise<void> {
    return this.enqueue(() => this.end());
  }

  /** Whether the server answers. */
  get isRunning(): boolean {
    return this.client?.state === State.Running;
  }

  dispose(): void {
    this.status.dispose();
  }

  private enqueue(step: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(step, step);
    return this.queue;
  }

  private async begin(): Promise<void> {
    const program = await programOrMessage(this.context);
    if (program === undefined) {
      this.show("hlo2onnx is not found", "", vscode.LanguageStatusSeverity.Error);
      return;
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const words = ["lsp", ...settings(folder).arguments];
    this.context.log.info([program.command, ...program.arguments, ...words].join(" "));
    const fault = await this.faultOf(program, words, folder);
    if (fault !== undefined) {
      this.fail(fault);
      return;
    }
    const client = new LanguageClient(
      SECTION,
      "hlo2onnx",
      {
        command: program.command,
        args: [...program.arguments, ...words],
        transport: TransportKind.stdio,
        ...(folder === undefined ? {} : { options: { cwd: folder.fsPath } }),
      },
      {
        documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "mlir" })),
        outputChannel: this.context.log,
        // A request that a restart interrupts is not worth a message.
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationFailedHandler: () => false,
      },
    );
    this.client = client;
    try {
      await client.start();
      const version = client.initializeResult?.serverInfo?.version ?? "";
      this.show(`hlo2onnx ${version}`.trim(), `${program.origin}: ${program.command}`);
    } catch (error) {
      this.fail(String(error));
    }
  }

  /** Why the server ends at once. The client would start it again and again, with a message each time. */
  private async faultOf(
    program: Program,
    words: readonly string[],
    folder: vscode.Uri | undefined,
  ): Promise<string | undefined> {
    const never = new vscode.CancellationTokenSource();
    try {
      const { status, output } = await run(program, words, folder?.fsPath, never.token);
      return status === WRONG_USAGE ? output.trim() : undefined;
    } catch (error) {
      return String(error);
    } finally {
      never.dispose();
    }
  }

  private fail(why: string): void {
    this.context.log.error(why);
    this.show("hlo2onnx does not start", why, vscode.LanguageStatusSeverity.Error);
    void this.offerHelp(why.split("\n", 1)[0] ?? "");
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose();
    } catch {
      // A server that never started cannot be stopped.
    }
  }

  private show(text: string, detail: string, severity = vscode.LanguageStatusSeverity.Information): void {
    this.status.text = text;
    this.status.detail = detail;
    this.status.severity = severity;
  }

  private async offerHelp(why: string): Promise<void> {
    const [output, open] = ["Show Output", "Open Settings"];
    const chosen = await vscode.window.showErrorMessage(`hlo2onnx does not start. ${why}`, output, open);
    if (chosen === output) {
      this.context.log.show();
    } else if (chosen === open) {
      await vscode.commands.executeCommand("workbench.action.openSettings", SECTION);
    }
  }
}
