import * as assert from "node:assert";
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { findProgram } from "../../src/program";
import { errorsOf, eventually, open, running, uri } from "./support";

const extension = vscode.Uri.file(path.resolve(__dirname, "..", ".."));
const target = vscode.ConfigurationTarget.Workspace;

suite("program", () => {
  let PATH: string | undefined;
  let binary: string;

  suiteSetup(async () => {
    await open("model.mlir");
    await running();
    binary = (await findProgram(extension)).command;
  });

  setup(() => {
    PATH = process.env["PATH"];
  });

  teardown(async () => {
    process.env["PATH"] = PATH;
    rmSync(path.join(extension.fsPath, "bin"), { recursive: true, force: true });
    const settings = vscode.workspace.getConfiguration("hlo2onnx");
    await settings.update("path", undefined, target);
    await settings.update("arguments", undefined, target);
    await vscode.commands.executeCommand("hlo2onnx.restart");
    await running();
  });

  test("a path that is wrong is told", async () => {
    const answers = await running();
    const errors = await errorsOf(async () => {
      await vscode.workspace.getConfiguration("hlo2onnx").update("path", "nowhere/hlo2onnx", target);
      await eventually("end of the server", () => !answers.isRunning);
      await vscode.commands.executeCommand("hlo2onnx.restart");
    });
    assert.match(errors[0]?.[0] ?? "", /hlo2onnx\.path names .*nowhere.*Install it/);
    assert.deepStrictEqual(errors[0]?.slice(1), ["How to Install", "Open Settings"]);
  });

  test("a path that is right is used", async () => {
    process.env["PATH"] = "";
    await vscode.workspace.getConfiguration("hlo2onnx").update("path", binary, target);
    assert.strictEqual((await findProgram(extension)).origin, "setting hlo2onnx.path");
    await running();
  });

  test("a missing program is told", async () => {
    process.env["PATH"] = "";
    const answers = await running();
    const errors = await errorsOf(() => Promise.resolve(vscode.commands.executeCommand("hlo2onnx.restart")));
    assert.match(errors[0]?.[0] ?? "", /neither on PATH nor/);
    assert.deepStrictEqual(errors[0]?.slice(1), ["How to Install", "Open Settings"]);
    assert.ok(!answers.isRunning);
    const again = await errorsOf(() => Promise.resolve(vscode.commands.executeCommand("hlo2onnx.check", uri("model.mlir"))));
    assert.strictEqual(again.length, 1);
  });

  test("the program of the extension is used", async () => {
    process.env["PATH"] = "";
    const bundled = path.join(extension.fsPath, "bin", path.basename(binary));
    mkdirSync(path.dirname(bundled), { recursive: true });
    copyFileSync(binary, bundled);
    chmodSync(bundled, 0o755);
    assert.deepStrictEqual(await findProgram(extension), { command: bundled, arguments: [], origin: "extension" });
    await vscode.commands.executeCommand("hlo2onnx.restart");
    await running();
  });

  test("the Python package is used", async function () {
    if (process.platform === "win32") {
      this.skip();
    }
    // An interpreter that has the package.
    const python = uri("python/python3").fsPath;
    mkdirSync(path.dirname(python), { recursive: true });
    writeFileSync(python, `#!/bin/sh\n[ "$1" = -c ] && exit 0\nshift 2\nexec "${binary}" "$@"\n`);
    chmodSync(python, 0o755);
    process.env["PATH"] = path.dirname(python);
    assert.deepStrictEqual(await findProgram(extension), {
      command: python,
      arguments: ["-m", "hlo2onnx"],
      origin: "Python package",
    });
    await vscode.commands.executeCommand("hlo2onnx.restart");
    await running();
    assert.strictEqual(await vscode.commands.executeCommand("hlo2onnx.check", uri("model.mlir")), true);
  });

  test("options reach the server, and wrong ones are told", async () => {
    const answers = await running();
    const settings = vscode.workspace.getConfiguration("hlo2onnx");
    const errors = await errorsOf(async () => {
      await settings.update("arguments", ["--no-such-option"], target);
      await eventually("end of the server", () => !answers.isRunning);
      await vscode.commands.executeCommand("hlo2onnx.restart");
    });
    assert.match(errors[0]?.[0] ?? "", /does not start.*--no-such-option/);
    assert.deepStrictEqual(new Set(errors.map(([message]) => message)).size, 1, JSON.stringify(errors));
    const none = await errorsOf(async () => {
      await settings.update("arguments", ["--target", "onnxruntime:1.20"], target);
      await eventually("server", () => answers.isRunning);
    });
    assert.deepStrictEqual(none, []);
  });
});
