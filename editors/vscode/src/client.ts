// The connection to the language server.

import * as vscode from "vscode";
import { LanguageClient, State, TransportKind } from "vscode-languageclient/node";
import { folderOf, programOrMessage, type Context } from "./context";
import { SECTION, settings } from "./settings";

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
    const words = [...program.arguments, "lsp", ...settings(folder).arguments];
    const client = new LanguageClient(
      SECTION,
      "hlo2onnx",
      {
        command: program.command,
        args: words,
        transport: TransportKind.stdio,
        ...(folder === undefined ? {} : { options: { cwd: folderOf(folder) } }),
      },
      {
        documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "mlir" })),
        outputChannel: this.context.log,
      },
    );
    this.client = client;
    this.context.log.info(`${[program.command, ...words].join(" ")}`);
    try {
      await client.start();
      const version = client.initializeResult?.serverInfo?.version ?? "";
      this.show(`hlo2onnx ${version}`.trim(), `${program.origin}: ${program.command}`);
    } catch (error) {
      this.context.log.error(String(error));
      this.show("hlo2onnx does not start", String(error), vscode.LanguageStatusSeverity.Error);
      void this.offerOutput();
    }
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

  private async offerOutput(): Promise<void> {
    const show = "Show Output";
    const message = "hlo2onnx: the language server does not start. The output says why.";
    if ((await vscode.window.showErrorMessage(message, show)) === show) {
      this.context.log.show();
    }
  }
}
