// Models run in the browser and return the numbers of JAX.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { FIXTURES } from "./support/compiler.mjs";
import { browser, open, withPage } from "./support/page.mjs";

const state = browser();

async function run(page) {
  await page.evaluate(() => (document.getElementById("run-status").textContent = ""));
  await page.click("#run-go");
  await page.waitForFunction(() => /ran in|did not run/.test(document.getElementById("run-status").textContent), null, { timeout: 60_000 });
  return page.locator("#run-status").textContent();
}

const MODELS = [
  { folder: "demo", files: ["model.args.mlir", "weights.safetensors"], io: "io.safetensors" },
  { folder: "symbolic_transformer", files: ["model.symbolic.mlir"], io: "io.b=2,t=7.safetensors" },
];

for (const { folder, files, io } of MODELS) {
  test(`${folder} returns what JAX returns`, async () => {
    await withPage(state, async (page) => {
      const path = `${FIXTURES}models/${folder}/`;
      await open(page, files.map((file) => path + file));
      await page.click("#tab-run");
      await page.setInputFiles("#run-files", path + io);
      const status = await run(page);
      const found = /the largest difference from the file is ([\d.e+-]+)\./.exec(status);
      assert.ok(found, status);
      assert.ok(Number(found[1]) < 1e-4, status);
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download the outputs as JSON")]);
      const outputs = Object.values(JSON.parse(readFileSync(await download.path(), "utf8")));
      assert.ok(outputs.length > 0 && outputs.every(({ dims, data }) => data.length === dims.reduce((a, b) => a * b, 1)));
    });
  });
}

test("weights that are not bound are inputs, and `in.0` is the first that is not a weight", async () => {
  await withPage(state, async (page) => {
    const path = `${FIXTURES}models/mlp/`;
    await open(page, `${path}model.args.mlir`);
    await page.click("#tab-run");
    await page.setInputFiles("#run-files", [`${path}io.safetensors`, `${path}weights.safetensors`]);
    const status = await run(page);
    const found = /the largest difference from the file is ([\d.e+-]+)\./.exec(status);
    assert.ok(found && Number(found[1]) < 1e-4, `${status} ${await page.locator("#run-output").textContent()}`);
  });
});

test("random inputs of chosen sizes, the same for the same seed", async () => {
  await withPage(state, async (page) => {
    await open(page, [`${FIXTURES}models/symbolic_cnn/model.symbolic.mlir`]);
    await page.click("#tab-run");
    const size = page.locator("#run-sizes input").first();
    await size.fill("3");
    assert.match(await run(page), /ran in/);
    const first = await page.locator("#run-output .numbers").first().textContent();
    assert.match(await page.locator("#run-output").textContent(), /\[3, /);
    assert.match(await run(page), /ran in/);
    assert.equal(await page.locator("#run-output .numbers").first().textContent(), first);
    await page.fill("#run-seed", "1");
    await run(page);
    assert.notEqual(await page.locator("#run-output .numbers").first().textContent(), first);
  });
});

test("a new model ends the run of the one before, and another shape is not compared", async () => {
  await withPage(state, async (page) => {
    await open(page, [`${FIXTURES}models/demo/model.debug.mlir`]);
    await page.click("#tab-run");
    await page.click("#run-go");
    const text = "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n  %0 = stablehlo.add %x, %x : tensor<2x3xf32>\n  return %0 : tensor<2x3xf32>\n}\n";
    await open(page, { name: "double.mlir", mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.click("#tab-run");
    assert.equal(await page.locator("#run-stop").isHidden(), true);
    assert.equal(await page.locator("#run-status").textContent(), "");
    assert.equal(await page.locator("#run-output").textContent(), "");
    await page.click("#run-form summary");
    await page.fill("#run-json", '{"in.0": [[1, 2, 3], [4, 5, 6]], "out.0": [[2, 4], [6, 8], [10, 12]]}');
    assert.match(await run(page), /another shape/);
    assert.match(await page.locator("#run-output").textContent(), /the file has 3 × 2, and the model returned 2 × 3/);
  });
});

test("typed inputs, and inputs that do not fit", async () => {
  await withPage(state, async (page) => {
    const text = "func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {\n  %0 = stablehlo.add %x, %x : tensor<2x2xf32>\n  return %0 : tensor<2x2xf32>\n}\n";
    await open(page, { name: "double.mlir", mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.click("#tab-run");
    await page.click("#run-form summary");
    await page.fill("#run-json", '{"in.0": [[1, 2], [3, 4.5]]}');
    assert.match(await run(page), /ran in/);
    assert.equal(await page.locator("#run-output td.numbers").first().textContent(), "2, 4, 6, 9");
    await page.fill("#run-json", '{"in.0": [1]}');
    assert.match(await run(page), /did not run/);
    await page.fill("#run-json", "[");
    assert.match(await run(page), /not JSON/);
  });
});
