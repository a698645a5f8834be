// Runs the tests of test/editor/ in the extension host, as VS Code's own tests in a browser do.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { chromium } from "playwright-core";
import { startEditor } from "./code_server.mjs";
import { writeWorkspace } from "./workspace.mjs";

const MOST_MILLISECONDS = 600_000;

export const BROWSER_OPTIONS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The environment of an editor that finds the program on `PATH`. */
export function environmentWith(program, more = {}) {
  return { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env["PATH"]}`, ...more };
}

export async function testInExtensionHost({ root, folder, program, browser, editor }) {
  const own = join(folder, "host");
  const workspace = join(own, "workspace");
  mkdirSync(own, { recursive: true });
  writeWorkspace(workspace);
  const file = join(own, "results.json");
  const server = await startEditor(editor, own, environmentWith(program, { HLO2ONNX_TEST_RESULTS: file }));
  const chrome = await chromium.launch({ executablePath: browser, args: BROWSER_OPTIONS });
  const log = [];
  try {
    const page = await chrome.newPage();
    page.on("console", (message) => log.push(message.text()));
    const ended = new Promise((resolve) => page.exposeFunction("codeAutomationExit", resolve));
    await page.exposeFunction("codeAutomationLog", () => {});
    const at = (path) => `vscode-remote://127.0.0.1:${server.port}${path.replaceAll("\\", "/")}`;
    const payload = [
      ["extensionDevelopmentPath", at(root.replace(/[\\/]$/, ""))],
      ["extensionTestsPath", at(join(root, "out", "test", "index.js"))],
      ["skipWelcome", "true"],
    ];
    const address = new URL(`http://127.0.0.1:${server.port}/`);
    address.searchParams.set("folder", workspace);
    address.searchParams.set("payload", JSON.stringify(payload));
    await page.goto(address.href);
    const late = new Promise((resolve) => setTimeout(resolve, MOST_MILLISECONDS).unref());
    await Promise.race([ended, late]);
  } finally {
    await chrome.close();
    server.stop();
  }
  if (!existsSync(file)) {
    throw new Error(`the tests in the editor did not end:\n${log.slice(-40).join("\n")}\n${server.output()}`);
  }
  return JSON.parse(readFileSync(file, "utf8"));
}
