import * as assert from "node:assert";
import * as vscode from "vscode";
import { codeOf, eventually, open, placeOf, replace, running, textAt, uri } from "./support";

suite("language", () => {
  suiteSetup(async () => {
    await open("model.mlir");
    await running();
  });

  test("a text activates the extension", async () => {
    const document = await open("model.mlir");
    assert.strictEqual(document.languageId, "mlir");
    assert.ok(vscode.extensions.getExtension("hlo2onnx.hlo2onnx")?.isActive);
  });

  test("a fault is shown at its place", async () => {
    const document = await open("broken.mlir");
    const fault = await eventually("diagnostic", () =>
      vscode.languages.getDiagnostics(document.uri).find((found) => codeOf(found) === "E0204"),
    );
    assert.strictEqual(fault.severity, vscode.DiagnosticSeverity.Error);
    assert.strictEqual(fault.source, "hlo2onnx");
    assert.strictEqual(textAt(document, fault.range), "tensor<?x?xf32>");
    assert.strictEqual(fault.range.start.line, 2);
    const [place] = fault.relatedInformation ?? [];
    assert.ok(place?.location.uri.path.endsWith("/program.py"));
    // The code opens its manual page.
    assert.ok(typeof fault.code === "object" && fault.code.target.path.endsWith("/E0204.md"));
  });

  test("the Python line has the fault too", async () => {
    await open("broken.mlir");
    const document = await open("program.py");
    const fault = await eventually("diagnostic", () =>
      vscode.languages.getDiagnostics(document.uri).find((found) => codeOf(found) === "E0204"),
    );
    assert.strictEqual(textAt(document, fault.range), "jnp.linalg.cholesky(x)");
    assert.strictEqual(fault.range.start.line, 8);
    assert.strictEqual(fault.relatedInformation?.[0]?.location.uri.toString(), uri("broken.mlir").toString());
  });

  test("edits change the diagnostics", async () => {
    const document = await open("model.mlir");
    const errors = () =>
      vscode.languages.getDiagnostics(document.uri).filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
    const start = placeOf(document, "stablehlo.tanh");
    const range = new vscode.Range(start, start.translate(0, 14));
    await replace(document, range, "stablehlo.tanj");
    const [error] = await eventually("error", () => errors().length > 0 && errors());
    assert.strictEqual(error?.range.start.line, start.line);
    await replace(document, range, "stablehlo.tanh");
    await eventually("text without errors", () => errors().length === 0);
    await document.save();
  });

  test("a name that is proposed is a quick fix", async () => {
    const document = await open("model.mlir");
    const start = placeOf(document, "stablehlo.tanh");
    const range = new vscode.Range(start, start.translate(0, 14));
    await replace(document, range, "stablehlo.tanhh");
    const fix = await eventually("quick fix", async () => {
      const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
        "vscode.executeCodeActionProvider", document.uri, range,
      );
      return actions.find(({ kind }) => kind?.contains(vscode.CodeActionKind.QuickFix));
    });
    assert.ok(fix.edit);
    await vscode.workspace.applyEdit(fix.edit);
    assert.strictEqual(textAt(document, document.getWordRangeAtPosition(start) ?? range), "stablehlo.tanh");
    await document.save();
  });

  test("hover shows the type and the ONNX ops", async () => {
    const document = await open("model.mlir");
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
      "vscode.executeHoverProvider", document.uri, placeOf(document, "stablehlo.add", 12),
    );
    const text = hovers.flatMap(({ contents }) => contents).map((part) => typeof part === "string" ? part : part.value);
    assert.match(text.join("\n"), /tensor<4xf32>/);
    assert.match(text.join("\n"), /Add/);
    assert.match(text.join("\n"), /program\.py/);
  });

  test("values and ops are completed", async () => {
    const document = await open("model.mlir");
    const labels = async (position: vscode.Position) => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        "vscode.executeCompletionItemProvider", document.uri, position,
      );
      return list.items.map(({ label }) => typeof label === "string" ? label : label.label);
    };
    const values = await labels(placeOf(document, "%arg0, %cst", 3));
    assert.ok(values.includes("%arg0"), String(values));
    const ops = await labels(placeOf(document, "stablehlo.add", 11));
    assert.ok(ops.includes("stablehlo.add"), String(ops));
  });

  test("a value is renamed everywhere", async () => {
    const document = await open("model.mlir");
    const edit = await vscode.commands.executeCommand<vscode.WorkspaceEdit>(
      "vscode.executeDocumentRenameProvider", document.uri, placeOf(document, "%cst", 1), "bias",
    );
    const edits = edit.get(document.uri);
    assert.deepStrictEqual(edits.map(({ newText, range }) => [newText, textAt(document, range)]), [
      ["bias", "cst"],
      ["bias", "cst"],
    ]);
  });

  test("the definition of a function is found", async () => {
    const document = await open("model.mlir");
    const found = await vscode.commands.executeCommand<(vscode.Location | vscode.LocationLink)[]>(
      "vscode.executeDefinitionProvider", document.uri, placeOf(document, "@inner", 2),
    );
    const lines = found.map((place) => "range" in place ? place.range.start.line : place.targetRange.start.line);
    assert.deepStrictEqual(lines, [7]);
  });

  test("the outline has the functions", async () => {
    const document = await open("model.mlir");
    const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[]>(
      "vscode.executeDocumentSymbolProvider", document.uri,
    );
    const names = JSON.stringify(symbols.map(({ name, children }) => [name, children.map((child) => child.name)]));
    assert.match(names, /main/);
    assert.match(names, /inner/);
  });

  test("there are semantic tokens, hints and folds", async () => {
    const document = await open("model.mlir");
    const tokens = await vscode.commands.executeCommand<vscode.SemanticTokens>(
      "vscode.provideDocumentSemanticTokens", document.uri,
    );
    assert.ok(tokens.data.length >= 5 * 30, String(tokens.data.length));
    const all = new vscode.Range(0, 0, document.lineCount, 0);
    const hints = await vscode.commands.executeCommand<vscode.InlayHint[]>(
      "vscode.executeInlayHintProvider", document.uri, all,
    );
    const labels = hints.map(({ label }) => typeof label === "string" ? label : label.map((part) => part.value).join(""));
    assert.ok(labels.includes("→ Add"), String(labels));
    const folds = await vscode.commands.executeCommand<vscode.FoldingRange[]>(
      "vscode.executeFoldingRangeProvider", document.uri,
    );
    assert.ok(folds.some(({ start }) => start === 1), JSON.stringify(folds));
  });
});
