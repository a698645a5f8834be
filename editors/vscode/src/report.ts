// Shows what `hlo2onnx check --html` writes, beside the text.

import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { showFailure } from "./commands";
import { chosenText, folderOf, runOn, type Context } from "./context";
import { forEditor } from "./page";

/** The reports that are open, by their texts. */
export class Reports implements vscode.Disposable {
  private readonly open = new Map<string, Report>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly context: Context) {
    this.subscriptions = [
      vscode.workspace.onDidSaveTextDocument((document) => {
        void this.open.get(document.uri.toString())?.update();
      }),
      vscode.window.onDidChangeActiveColorTheme(() => this.open.forEach((report) => report.render())),
    ];
  }

  /** Shows the report of a text. Returns its page. */
  async show(uri: unknown): Promise<string | undefined> {
    const text = await chosenText(uri);
    if (text === undefined) {
      return undefined;
    }
    const key = text.toString();
    const existing = this.open.get(key);
    if (existing !== undefined) {
      existing.panel.reveal(undefined, true);
      return existing.update();
    }
    const page = await pageOf(this.context, text);
    if (page === undefined) {
      return undefined;
    }
    const report = new Report(this.context, text, page);
    this.open.set(key, report);
    report.panel.onDidDispose(() => this.open.delete(key));
    return page;
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.open.forEach((report) => report.panel.dispose());
  }
}

class Report {
  readonly panel: vscode.WebviewPanel;
  private updates = 0;
  private readonly script: string;

  constructor(
    private readonly context: Context,
    private readonly text: vscode.Uri,
    private page: string,
  ) {
    this.script = readFileSync(vscode.Uri.joinPath(context.extension, "dist", "report.js").fsPath, "utf8");
    this.panel = vscode.window.createWebviewPanel(
      "hlo2onnx.report",
      `Report: ${path.basename(text.fsPath)}`,
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, enableFindWidget: true, localResourceRoots: [] },
    );
    this.panel.webview.onDidReceiveMessage((message) => void this.reveal(message));
    this.render();
  }

  /** Checks the text again. */
  async update(): Promise<string | undefined> {
    const update = ++this.updates;
    const page = await pageOf(this.context, this.text);
    // A later check may have ended before.
    if (page !== undefined && update === this.updates) {
      this.page = page;
      this.render();
    }
    return page;
  }

  render(): void {
    const { Dark, HighContrast } = vscode.ColorThemeKind;
    const isDark = [Dark, HighContrast].includes(vscode.window.activeColorTheme.kind);
    this.panel.webview.html = forEditor(this.page, this.script, isDark);
  }

  /** Goes to the place that was clicked. */
  private async reveal(message: { readonly line?: unknown; readonly file?: unknown }): Promise<void> {
    if (typeof message.line !== "number" || !Number.isInteger(message.line)) {
      return;
    }
    const { file } = message;
    // The path comes from the text, and Windows would send the user's credentials to a host that such a path names.
    if (typeof file === "string" && /^[\\/]{2}/.test(file)) {
      void vscode.window.showWarningMessage(`hlo2onnx: ${file} is not on this machine, and was not opened.`);
      return;
    }
    const target = typeof file === "string" ? vscode.Uri.file(path.resolve(folderOf(this.text), file)) : this.text;
    let document;
    try {
      document = await vscode.workspace.openTextDocument(target);
    } catch {
      void vscode.window.showWarningMessage(`hlo2onnx: ${target.fsPath} cannot be opened.`);
      return;
    }
    const { range } = document.lineAt(Math.min(Math.max(message.line, 1), document.lineCount) - 1);
    const editor = vscode.window.visibleTextEditors.find((visible) => visible.document === document);
    // Not over the report, which is in the active column now.
    const viewColumn = editor?.viewColumn ?? vscode.ViewColumn.One;
    await vscode.window.showTextDocument(document, { viewColumn, selection: new vscode.Range(range.start, range.start) });
  }
}

/** The page that the program writes for a text. */
async function pageOf(context: Context, text: vscode.Uri): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), "hlo2onnx-"));
  try {
    const file = path.join(folder, "report.html");
    const name = path.basename(text.fsPath);
    const outcome = await runOn(context, text, `Checking ${name}`, ["check", text.fsPath, "--html", file]);
    if (outcome === undefined) {
      return undefined;
    }
    try {
      return await readFile(file, "utf8");
    } catch {
      // A text that does not convert has a report too. Without one, the command line was wrong.
      void showFailure(context, text, outcome.status, `there is no report of ${name}.`);
      return undefined;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
