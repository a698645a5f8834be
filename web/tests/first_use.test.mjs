// What somebody meets who opens a program for the first time: weights early or late, no locations, another Python file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { FIXTURES } from "./support/compiler.mjs";
import { browser, open, withPage } from "./support/page.mjs";

const state = browser();
const DEMO = `${FIXTURES}models/demo/`;
const EXAMPLES = fileURLToPath(new URL("../examples/", import.meta.url));
const SMALL = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = stablehlo.tanh %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n";
const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

/** The boxes of the graph that can be seen. */
const visible = (page) =>
  page.evaluate(() => {
    const canvas = document.getElementById("graph-canvas").getBoundingClientRect();
    const boxes = [...document.querySelectorAll("#graph-canvas .finished :is([data-node], [data-module]:not(.open))")];
    return boxes.filter((element) => {
      const box = element.getBoundingClientRect();
      return box.right > canvas.left && box.left < canvas.right && box.bottom > canvas.top && box.top < canvas.bottom;
    }).length;
  });

/** Drags the picture until nothing of it can be seen. */
async function dragAway(page) {
  for (let drags = 0; drags < 40 && (await visible(page)) > 0; drags += 1) {
    await page.mouse.move(1000, 700);
    await page.mouse.down();
    await page.mouse.move(1000, 300, { steps: 3 });
    await page.mouse.up();
    await page.waitForTimeout(40);
  }
  assert.equal(await visible(page), 0);
}

test("the graph can be seen after weights were added, and after all is folded", async () => {
  await withPage(state, async (page) => {
    await open(page, `${DEMO}model.args.mlir`);
    await page.click("#tab-graph");
    await page.waitForSelector("#graph-canvas .finished [data-node]");
    await dragAway(page);
    await open(page, `${DEMO}weights.safetensors`);
    await page.waitForTimeout(300);
    assert.ok((await visible(page)) > 0);
    await page.click("#graph-unfold");
    await page.waitForFunction(() => document.querySelectorAll("#graph-canvas .module.open").length > 5);
    await dragAway(page);
    await page.click("#graph-fold");
    await page.waitForFunction(() => !document.querySelector("#graph-canvas .module.open"));
    assert.ok((await visible(page)) > 0);
  });
});

test("a small change leaves the view of the graph", async () => {
  await withPage(state, async (page) => {
    await page.click("#demo");
    await page.waitForFunction(() => /^Converted in/.test(document.getElementById("status").textContent));
    await page.click("#tab-graph");
    await page.waitForSelector("#graph-canvas .finished [data-node]");
    await page.mouse.move(1000, 500);
    await page.mouse.wheel(0, -200);
    await page.waitForTimeout(100);
    // Without the height, which the lines of the top change.
    const box = async () => (await page.locator("#graph-canvas svg").getAttribute("viewBox")).split(" ").slice(0, 3).join(" ");
    const before = await box();
    await page.click("#tab-options");
    await page.fill("#option-opset", "21");
    await page.waitForFunction(() => /^Converted again/.test(document.getElementById("status").textContent));
    await page.click("#tab-graph");
    await page.waitForTimeout(300);
    assert.equal(await box(), before);
  });
});

test("weights that come before their program are bound when it comes", async () => {
  await withPage(state, async (page) => {
    await page.setInputFiles("#choose", `${DEMO}weights.safetensors`);
    await page.waitForFunction(() => /weights\.safetensors: these are weights/.test(document.getElementById("status").textContent));
    await open(page, `${DEMO}model.args.mlir`);
    assert.match(await page.locator("#tensors").textContent(), /18 arguments got their values/);
    assert.equal(await page.locator("#unbound").isHidden(), true);
    // They belong to that program only.
    await open(page, `${DEMO}model.args.mlir`);
    assert.match(await page.locator("#unbound").textContent(), /^18 weights are still inputs of the model\. Add their \.safetensors/);
    assert.equal(await page.locator("#unbound").isVisible(), true);
  });
});

test("a text without locations says how to print them", async () => {
  await withPage(state, async (page) => {
    await open(page, `${DEMO}model.debug.mlir`);
    assert.equal(await page.locator("#no-locations").isHidden(), true);
    await open(page, file("small.mlir", SMALL));
    await page.click("#tab-problems");
    const banner = page.locator("#no-locations");
    assert.equal(await banner.isVisible(), /A0601/.test(await page.locator("#problem-list").textContent()));
    assert.match(await banner.textContent(), /lowered\.as_text\(debug_info=True\)/);
  });
});

test("a Python file that differs from the exported one is told", async () => {
  await withPage(state, async (page) => {
    await open(page, `${EXAMPLES}faulty.mlir`);
    const quote = page.locator("#problem-list .quote.python").first();
    const take = async (text) => {
      await page.setInputFiles("#choose", file("faulty.py", text));
      await page.waitForTimeout(100);
    };
    await take("\n".repeat(100));
    assert.match(await quote.textContent(), /This file differs from the one that was exported: line \d+ is empty\./);
    assert.equal(await quote.locator("mark").count(), 0);
    await take("x\n".repeat(100));
    assert.match(await quote.textContent(), /line \d+ has no column \d+\./);
    await take(readFileSync(`${EXAMPLES}faulty.py`, "utf8"));
    assert.doesNotMatch(await quote.textContent(), /differs/);
    assert.equal(await quote.locator("mark").count(), 1);
  });
});

test("a refused program shows what hinders it first, and nothing of a model", async () => {
  await withPage(state, async (page) => {
    await open(page, `${EXAMPLES}faulty.mlir`);
    assert.equal(await page.locator("#download").isHidden(), true);
    assert.doesNotMatch(await page.locator("#figures").textContent(), /none|Nodes|Opset|ONNX file/);
    const rows = await page.locator("#ops tbody tr").evaluateAll((all) => all.map((row) => [...row.children].slice(3).map(({ textContent }) => textContent)));
    const first = rows.findIndex(([becomes]) => !/refused|not supported/.test(becomes));
    assert.ok(first > 0);
    assert.ok(rows.slice(first).every((cells) => cells.every((text) => text === "")), JSON.stringify(rows));
  });
});

test("a difference from a program without a model has the verdict and problems only", async () => {
  await withPage(state, async (page) => {
    await open(page, file("small.mlir", SMALL));
    await page.locator("#editor .cm-line", { hasText: "stablehlo.tanh" }).click();
    await page.keyboard.press("End");
    await page.keyboard.type("?");
    await page.waitForFunction(() => /^Not converted:/.test(document.getElementById("status").textContent));
    const heads = () => page.locator("#difference th[scope=row]").allTextContents();
    assert.deepEqual(await heads(), ["Verdict"]);
    assert.doesNotMatch(await page.locator("#status").textContent(), /file|nodes/);
    await page.keyboard.press("Backspace");
    await page.waitForFunction(() => /^Converted again/.test(document.getElementById("status").textContent));
    assert.deepEqual(await heads(), ["Verdict"]);
  });
});

test("the whole head of a column sorts, and a selected line shows its beginning", async () => {
  await withPage(state, async (page) => {
    await page.click("#faulty");
    await page.waitForSelector("#problem-list .problem.error");
    await page.locator("#problem-list .more .link").first().click();
    assert.equal(await page.evaluate(() => document.getElementById("editor").shadowRoot.querySelector(".cm-scroller").scrollLeft), 0);
    await page.click("#tab-ops");
    const head = page.locator("#ops thead th").last();
    const { width, height } = await head.boundingBox();
    await head.click({ position: { x: width - 4, y: height - 4 } });
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
  });
});
