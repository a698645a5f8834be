// Runs all tests. Those in the editor are skipped only if an editor cannot be installed, or there is no browser for it.

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findBrowser } from "./browser.mjs";
import { installEditor } from "./code_server.mjs";
import { testInExtensionHost } from "./extension_host.mjs";
import { testInstalled } from "./installed.mjs";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("..", import.meta.url));
/** More than this means that something was packaged that should not be. */
const MOST_BYTES = 400_000;

const node = (...words) => execFileSync(process.execPath, words, { cwd: root, stdio: "inherit" });

/** The program that the extension is tested with. */
function findProgram() {
  const name = process.platform === "win32" ? "hlo2onnx.exe" : "hlo2onnx";
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = [
    ...(process.env["HLO2ONNX"] ? [resolve(process.env["HLO2ONNX"])] : []),
    ...["release", "debug"].map((profile) => join(root, "..", "..", "target", profile, name)),
    ...folders.map((folder) => join(folder, name)),
  ];
  return candidates.find((file) => existsSync(file));
}

function testGrammar() {
  const words = ["-g", "syntaxes/mlir.tmLanguage.json", "test/grammar/*.mlir"];
  node(require.resolve("vscode-tmgrammar-test/dist/unit.js"), ...words);
  node("test/grammar/every_token.mjs");
}

/** Packages the extension, and returns the file. */
function testPackage() {
  const vsix = join(root, "out", "hlo2onnx.vsix");
  const vsce = join(root, "node_modules", "@vscode", "vsce", "vsce");
  node(vsce, "package", "--no-dependencies", "--allow-missing-repository", "--out", vsix);
  const { size } = statSync(vsix);
  if (size > MOST_BYTES) {
    throw new Error(`the package has ${size} bytes, more than ${MOST_BYTES}`);
  }
  console.log(`package: ${size} bytes`);
  return vsix;
}

/** Prints what the extension logged. */
function printLogs(folder) {
  const names = readdirSync(folder, { recursive: true });
  for (const name of names.filter((name) => name.endsWith(".log") && /hlo2onnx\.hlo2onnx|remoteexthost/.test(name))) {
    console.log(`${name}:\n${readFileSync(join(folder, name), "utf8").slice(-8000)}`);
  }
}

async function buildTests() {
  await build({
    absWorkingDir: root,
    entryPoints: readdirSync(join(root, "test", "editor")).map((name) => join("test", "editor", name)),
    outdir: "out/test",
    bundle: true,
    external: ["vscode", "mocha"],
    format: "cjs",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
  });
}

rmSync(join(root, "out"), { recursive: true, force: true });
mkdirSync(join(root, "out"));
execFileSync("npm", ["run", "--silent", "check"], { cwd: root, stdio: "inherit", shell: process.platform === "win32" });
testGrammar();
const vsix = testPackage();
node("scripts/build.mjs");
await buildTests();

const program = findProgram();
const browser = findBrowser();
let reason;
let installed;
if (program === undefined) {
  throw new Error("no hlo2onnx in target/ or on PATH, and HLO2ONNX does not name one");
}
if (browser === undefined) {
  reason = "no Chromium on PATH, and CHROME does not name one";
} else {
  installed = installEditor();
  reason = installed.reason;
}
if (reason !== undefined) {
  console.log(`skipped: the tests in the editor: ${reason}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "hlo2onnx-editor-"));
let results;
try {
  const parts = { root, folder, program, browser, vsix, editor: installed.editor };
  results = [...(await testInExtensionHost(parts)), ...(await testInstalled(parts))];
  if (results.some(({ error }) => error !== undefined)) {
    printLogs(folder);
  }
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
for (const { name, milliseconds, error } of results) {
  console.log(`${error === undefined ? "ok" : "FAILED"}: ${name} (${milliseconds} ms)${error ? `\n${error}` : ""}`);
}
const failed = results.filter(({ error }) => error !== undefined).length;
console.log(`In code-server ${installed.release}:`);
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || results.length === 0 ? 1 : 0);
