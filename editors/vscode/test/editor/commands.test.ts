import * as assert from "node:assert";
import { existsSync, readFileSync, rmSync } from "node:fs";
import * as vscode from "vscode";
import { errorsOf, eventually, open, replace, replacing, running, uri } from "./support";

suite("commands", () => {
  suiteSetup(async () => {
    await open("model.mlir");
    await running();
  });

  teardown(() => vscode.commands.executeCommand("workbench.action.closeAllEditors"));

  test("they are in the palette", async () => {
    const all = await vscode.commands.getCommands(true);
    for (const name of ["convert", "check", "report", "restart"]) {
      assert.ok(all.includes(`hlo2onnx.${name}`), name);
    }
  });

  test("a text is converted to the chosen place", async () => {
    await open("model.mlir");
    const model = uri("chosen.onnx");
    rmSync(model.fsPath, { force: true });
    const shown: string[] = [];
    const written = await replacing("showSaveDialog", () => model, () =>
      replacing("showInformationMessage", (message) => void shown.push(message), async () =>
        vscode.commands.executeCommand<vscode.Uri | undefined>("hlo2onnx.convert"),
      ),
    );
    assert.strictEqual(written?.toString(), model.toString());
    const bytes = readFileSync(model.fsPath);
    assert.ok(bytes.includes("Tanh") && bytes.includes("hlo2onnx"));
    assert.match(shown.join("\n"), /^chosen\.onnx: 2 nodes, \d+ bytes$/);
  });

  test("edits are saved before", async () => {
    const document = await open("model.mlir");
    await replace(document, new vscode.Range(0, 0, 0, 0), "// edited\n");
    assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.check"), true);
    assert.match(readFileSync(document.uri.fsPath, "utf8"), /^\/\/ edited\n/);
    await replace(document, new vscode.Range(0, 0, 1, 0), "");
    await document.save();
  });

  test("a text with a fault is not converted", async () => {
    await open("broken.mlir");
    const model = uri("broken.onnx");
    const errors = await errorsOf(() =>
      replacing("showSaveDialog", () => model, async () =>
        assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.convert"), undefined),
      ),
    );
    assert.strictEqual(errors.length, 1);
    assert.match(errors[0]?.[0] ?? "", /broken\.mlir does not convert/);
    assert.ok(errors[0]?.includes("Show Output"));
    assert.ok(!existsSync(model.fsPath));
  });

  test("nothing is converted if no place is chosen", async () => {
    await open("model.mlir");
    const written = await replacing("showSaveDialog", () => undefined, async () =>
      vscode.commands.executeCommand("hlo2onnx.convert"),
    );
    assert.strictEqual(written, undefined);
  });

  test("a text of the explorer is checked", async () => {
    assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.check", uri("model.mlir")), true);
    assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.check", uri("broken.mlir")), false);
  });

  test("the report opens beside the text", async () => {
    for (const name of ["model.mlir", "broken.mlir"]) {
      await open(name);
      const page = await vscode.commands.executeCommand<string>("hlo2onnx.report");
      assert.match(page, /Content-Security-Policy/);
      const tab = await eventually("report", () =>
        vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).find(({ label }) => label === `Report: ${name}`),
      );
      assert.strictEqual(tab.group.viewColumn, vscode.ViewColumn.Two);
      // A second one does not open.
      await vscode.commands.executeCommand("hlo2onnx.report", uri(name));
      const labels = vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label));
      assert.strictEqual(labels.filter((label) => label === `Report: ${name}`).length, 1);
    }
  });

  test("options of the settings reach the commands", async () => {
    const settings = vscode.workspace.getConfiguration("hlo2onnx");
    const target = vscode.ConfigurationTarget.Workspace;
    await settings.update("conversionArguments", ["--dim", "unknown"], target);
    try {
      assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.check", uri("model.mlir")), false);
    } finally {
      await settings.update("conversionArguments", undefined, target);
    }
  });
});
