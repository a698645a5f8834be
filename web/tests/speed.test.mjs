// The page never makes its reader wait: a large text has no long task, the demo is fast, and the compiler is small.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { FIXTURES, asset, convertInWorker } from "./support/compiler.mjs";
import { browser, open, withPage } from "./support/page.mjs";
import { DIST } from "./support/server.mjs";
import { recordTasks } from "./support/tasks.mjs";

const state = browser();
const scratch = mkdtempSync(join(tmpdir(), "hlo2onnx-speed-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A text of so many ops, with the locations of modules of 100 ops each, or without any. */
function program(ops, hasModules) {
  const type = "tensor<8x16xf32>";
  const kinds = ["tanh", "sqrt", "negate", "exponential"];
  let text = `module @jit_f {\n  func.func public @main(%arg0: ${type}) -> ${type} {\n`;
  for (let index = 0; index < ops; index += 1) {
    const before = index === 0 ? "%arg0" : `%${index - 1}`;
    const op = index % 5 === 4 ? `stablehlo.add ${before}, %arg0` : `stablehlo.${kinds[index % 5]} ${before}`;
    const place = Math.floor(index / 100);
    const location = hasModules ? ` loc("jit(f)/Model/Block_${Math.floor(place / 10)}/Layer_${place % 10}/${index}"("model.py":${12 + (index % 100)}:4))` : "";
    text += `    %${index} = ${op} : ${type}${location}\n`;
  }
  return `${text}    return %${ops - 1} : ${type}\n  }\n}\n`;
}

/** Loads a file, and looks at everything. */
async function visit(page, file) {
  assert.match(await open(page, file), /^Converted/);
  await page.click("#tab-graph");
  await page.waitForSelector("#graph-canvas [data-module], #graph-canvas [data-node]");
  await page.fill("#graph-search", "sqrt");
  for (let presses = 0; presses < 3; presses += 1) await page.press("#graph-search", "Enter");
  await page.waitForSelector("#graph-canvas .selected");
  await page.mouse.move(300, 500);
  for (let turns = 0; turns < 20; turns += 1) await page.mouse.wheel(0, 20_000);
  for (const tab of ["ops", "modules", "tensors", "options", "run", "problems"]) await page.click(`#tab-${tab}`);
  await page.waitForTimeout(500);
}

for (const hasModules of [true, false]) {
  test(`20,000 ops ${hasModules ? "with" : "without"} locations have no long task over 100 ms`, async () => {
    // From the disk: a file that the browser is given as a buffer is decoded in the page's own thread.
    const file = join(scratch, "large.mlir");
    writeFileSync(file, program(20_000, hasModules));
    await withPage(state, async (page) => {
      const ended = await recordTasks(page);
      await visit(page, file);
      const tasks = await ended();
      assert.ok(tasks.length > 100, "the tasks were recorded");
      assert.deepEqual(tasks.filter((time) => time > 100), []);
    });
  });
}

test("the demo converts in less than 50 ms", async () => {
  await withPage(state, async (page) => {
    const demo = { name: "model.mlir", text: readFileSync(`${FIXTURES}models/demo/model.debug.mlir`, "utf8") };
    // Other processes make some of them longer.
    const times = (await convertInWorker(page, Array(12).fill(demo))).map(({ milliseconds }) => milliseconds);
    assert.ok(Math.min(...times) < 50, `${times} ms`);
  });
});

test("the compressed compiler is smaller than 4 MB", () => {
  const size = gzipSync(readFileSync(DIST + asset("hlo2onnx_web_bg", ".wasm")), { level: 9 }).length;
  assert.ok(size < 4e6, `${size} bytes`);
});

test("dist names no other host", () => {
  const html = readFileSync(`${DIST}index.html`, "utf8");
  assert.doesNotMatch(html, /https?:\/\//);
  assert.match(html, /default-src 'none'/);
});
