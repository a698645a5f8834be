// What a person does with the page: keys, edits, options, files, and what happens when the compiler dies.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { FIXTURES } from "./support/compiler.mjs";
import { browser, converted, open, withPage } from "./support/page.mjs";

const state = browser();
const DEMO = `${FIXTURES}models/demo/`;
const EXAMPLES = fileURLToPath(new URL("../examples/", import.meta.url));
const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.id);

/** Loads the demo and shows its graph. */
async function demo(page) {
  await page.evaluate(() => (document.getElementById("status").textContent = ""));
  await page.click("#demo");
  await converted(page);
  await page.click("#tab-graph");
  await page.waitForSelector("#graph-canvas [data-node]");
}

test("the demo by keyboard alone", async () => {
  await withPage(state, async (page) => {
    await page.locator("#demo").focus();
    await page.keyboard.press("Enter");
    await converted(page);
    await page.locator('[role=tab][tabindex="0"]').focus();
    for (let presses = 0; presses < 8 && (await page.evaluate(() => document.activeElement.id)) !== "tab-graph"; presses += 1) {
      await page.keyboard.press("ArrowRight");
    }
    await page.waitForSelector("#graph-canvas [data-node]");
    // One element of the picture is in the order of the Tab key.
    assert.equal(await page.locator('#graph-canvas svg [tabindex="0"]').count(), 1);
    await page.locator('#graph-canvas svg [tabindex="0"]').focus();
    const seen = new Set([await focused(page)]);
    for (let presses = 0; presses < 6; presses += 1) {
      await page.keyboard.press("ArrowDown");
      seen.add(await focused(page));
    }
    assert.ok(seen.size >= 5, [...seen].join(" | "));
    const before = await focused(page);
    await page.keyboard.press("ArrowUp");
    assert.notEqual(await focused(page), before);
    // The search unfolds what hides a node.
    await page.click("#graph-fold");
    await page.waitForFunction(() => !document.querySelector("#graph-canvas .module.open"));
    await page.locator("#graph-canvas svg [tabindex='0']").first().focus();
    await page.keyboard.press("/");
    await page.keyboard.type("softmax attention");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#graph-canvas .node.selected");
    assert.match(await page.locator("#graph-found").textContent(), /^1 of \d+$/);
    assert.match(await page.locator("#graph-details").textContent(), /Softmax/);
    // The text shows the op that the node comes from.
    assert.match(await page.locator("#editor .source-op").first().textContent(), /stablehlo\.|chlo\.|call/);
    await page.locator("#graph-canvas .node.selected").focus();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    assert.doesNotMatch(await page.locator("#graph-details h3").first().textContent(), /Softmax/);
  });
});

test("modules fold and unfold at their place", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    await page.click("#graph-fold");
    await page.waitForFunction(() => !document.querySelector("#graph-canvas .module.open"));
    const module = page.locator("#graph-canvas [data-module]").first();
    assert.equal(await module.getAttribute("aria-expanded"), "false");
    const path = await module.getAttribute("data-module");
    await module.focus();
    await page.keyboard.press("Enter");
    const open = page.locator(`#graph-canvas .module.open[data-module="${path}"]`);
    await open.waitFor({ state: "attached" });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.module), path);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector("#graph-canvas .module.open"));
    await page.click("#graph-unfold");
    await page.waitForFunction(() => document.querySelectorAll("#graph-canvas .module.open").length > 5);
    const box = () => page.locator("#graph-canvas svg").getAttribute("viewBox");
    await page.waitForTimeout(300);
    const fitted = await box();
    await page.mouse.move(1000, 500);
    await page.mouse.wheel(0, -300);
    await page.waitForFunction((before) => document.querySelector("#graph-canvas svg").getAttribute("viewBox") !== before, fitted);
    await page.mouse.down();
    await page.mouse.move(900, 450, { steps: 4 });
    await page.mouse.up();
    await page.click("#graph-fit");
    await page.waitForFunction((before) => document.querySelector("#graph-canvas svg").getAttribute("viewBox") === before, fitted);
  });
});

test("a line of the text shows its nodes, or that it has none", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    const line = (text) => page.locator("#editor .cm-line", { hasText: text }).first();
    // Near their beginnings: the middle of a long line is out of sight.
    const position = { x: 60, y: 6 };
    await line("stablehlo.convolution").click({ position });
    assert.match(await page.locator("#line-words").textContent(), /stablehlo\.convolution became 2 nodes: Transpose, Conv/);
    assert.equal(await page.locator("#graph-canvas .selected").count(), 2);
    await line("stablehlo.broadcast_in_dim").click({ position });
    assert.match(await page.locator("#line-words").textContent(), /folded or merged/);
  });
});

test("an edited text is converted again, and the difference is shown", async () => {
  await withPage(state, async (page) => {
    const text = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = stablehlo.tanh %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n";
    await open(page, { name: "small.mlir", mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.locator("#editor .cm-line", { hasText: "stablehlo.tanh" }).click();
    await page.keyboard.press("Home");
    for (let presses = 0; presses < 5; presses += 1) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Control+Shift+ArrowRight");
    await page.evaluate(() => (document.getElementById("status").textContent = ""));
    await page.keyboard.press("End");
    for (let presses = 0; presses < " : tensor<4xf32>".length + "tanh %x".length; presses += 1) await page.keyboard.press("Backspace");
    await page.keyboard.type("sqrt %x : tensor<4xf32>");
    await page.waitForFunction(() => document.getElementById("title").textContent === "Converts exactly" && /again/.test(document.getElementById("status").textContent));
    assert.match(await page.locator("#ops").textContent(), /Sqrt/);
    await page.keyboard.type("?");
    await page.waitForFunction(() => document.getElementById("title").textContent === "Does not convert" && /^Not converted/.test(document.getElementById("status").textContent));
    assert.match(await page.locator("#problem-list").textContent(), /E0002/);
    assert.match(await page.locator("#difference").textContent(), /Does not convert.*New problems/s);
    await page.keyboard.press("Control+z");
    await page.waitForFunction(() => document.getElementById("title").textContent === "Converts exactly");
  });
});

test("an option converts again, and a wrong one is explained", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    await page.click("#tab-options");
    await page.check("#option-strict-nan");
    await page.waitForFunction(() => /^Converted again/.test(document.getElementById("status").textContent));
    assert.equal(await page.locator("#title").textContent(), "Converts exactly");
    assert.match(await page.locator("#difference").textContent(), /Converts, with differences.*Converts exactly/s);
    assert.match(await page.locator("#difference").textContent(), /Problems that are gone.*A0604/s);
    await page.fill("#option-dims", "x");
    await page.waitForSelector("#option-problem:not([hidden])");
    await page.fill("#option-dims", "");
    await page.waitForSelector("#option-problem", { state: "hidden" });
    await page.fill("#option-opset", "21");
    await page.waitForFunction(() => /21/.test(document.querySelector("#figures").textContent));
    await page.selectOption("#option-target", { index: 1 });
    await page.click("#options-reset");
    await page.waitForFunction(() => document.getElementById("title").textContent === "Converts, with differences");
  });
});

test("weights come later, compressed programs open, and bytecode is shown as text", async () => {
  await withPage(state, async (page) => {
    await open(page, [`${DEMO}model.args.mlir`]);
    await page.click("#tab-tensors");
    assert.match(await page.locator("#tensors").textContent(), /Conv_0\/kernel/);
    await open(page, [`${DEMO}weights.safetensors`]);
    assert.match(await page.locator("#tensors").textContent(), /18 arguments got their values/);
    const gz = { name: "model.mlir.gz", mimeType: "application/gzip", buffer: gzipSync(readFileSync(`${DEMO}model.debug.mlir`)) };
    assert.match(await open(page, gz), /^Converted in/);
    assert.equal(await page.locator("#file-name").textContent(), "model.mlir.gz");
    for (const name of ["modules.mlirbc", "exported.bin"]) {
      assert.match(await open(page, `${FIXTURES}bytecode/${name}`), /^Converted in/, name);
      assert.match(await page.locator("#text-note").textContent(), /bytecode/);
      assert.match(await page.locator("#editor .cm-content").textContent(), /stablehlo\./);
    }
  });
});

test("a file that is not a program is named, and leaves nothing of the one before", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    await open(page, { name: "picture.png", mimeType: "image/png", buffer: Buffer.from("89504e470d0a1a0a0000000d49484452", "hex") });
    assert.equal(await page.locator("#file-name").textContent(), "picture.png");
    assert.notEqual(await page.locator("#title").textContent(), "Converts, with differences");
    assert.equal(await page.locator("#download").isDisabled(), true);
    assert.equal(await page.locator("#graph-canvas svg").count(), 0);
  });
});

test("dropped files are opened, and the text of the editor stays", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    const text = readFileSync(`${FIXTURES}models/dense_relu/model.mlir`, "utf8");
    await page.evaluate((text) => {
      document.getElementById("status").textContent = "";
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], "dropped.mlir"));
      const target = document.getElementById("editor").shadowRoot.querySelector(".cm-content");
      for (const type of ["dragenter", "dragover", "drop"]) {
        target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true, composed: true }));
      }
    }, text);
    assert.match(await converted(page), /^Converted in/);
    assert.equal(await page.locator("#file-name").textContent(), "dropped.mlir");
    assert.equal(await page.locator("#veil").isHidden(), true);
    assert.doesNotMatch(await page.locator("#editor .cm-content").textContent(), /convolution/);
  });
});

const TANH = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = stablehlo.tanh %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n";
const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

/** Keeps the compiler busy for longer than an edit waits. */
async function occupy(page) {
  const worker = page.workers().find((candidate) => /compiler/.test(candidate.url()));
  await worker.evaluate(() => {
    setTimeout(() => {
      const end = performance.now() + 1500;
      while (performance.now() < end);
    });
  });
}

test("a file that is opened during an edit is not replaced by the text before", async () => {
  await withPage(state, async (page) => {
    await open(page, file("tanh.mlir", TANH));
    await page.locator("#editor .cm-line", { hasText: "stablehlo.tanh" }).click();
    await occupy(page);
    await page.evaluate(() => (document.getElementById("status").textContent = ""));
    await page.keyboard.type(" ");
    await page.setInputFiles("#choose", file("sqrt.mlir", TANH.replace("tanh", "sqrt")));
    await page.keyboard.type(" ");
    await converted(page);
    // As long as an edit waits, and longer.
    await page.waitForTimeout(600);
    assert.equal(await page.locator("#file-name").textContent(), "sqrt.mlir");
    assert.match(await page.locator("#editor .cm-content").textContent(), /stablehlo\.sqrt/);
    assert.match(await page.locator("#ops").textContent(), /Sqrt/);
  });
});

test("what is typed while a text with a long literal is read stays", async () => {
  await withPage(state, async (page) => {
    await open(page, file("tanh.mlir", TANH));
    await page.locator("#editor .cm-line", { hasText: "stablehlo.tanh" }).click();
    await page.keyboard.press("End");
    await occupy(page);
    await page.keyboard.insertText(`\n  %c = stablehlo.constant dense<"0x${"3F800000".repeat(100)}"> : tensor<100xf32>`);
    // The answer comes before this edit has waited long enough.
    await page.waitForTimeout(1300);
    await page.keyboard.insertText(" // typed");
    await page.waitForSelector("#text-note:not([hidden])");
    assert.match(await page.locator("#editor .cm-content").textContent(), /\/\/ typed/);
  });
});

test("a Python file makes the problems quote its lines", async () => {
  await withPage(state, async (page) => {
    await open(page, `${EXAMPLES}faulty.mlir`);
    assert.match(await page.locator("#python-missing").textContent(), /faulty\.py/);
    await page.setInputFiles("#choose", `${EXAMPLES}faulty.py`);
    await page.waitForSelector("#problem-list .quote.python");
    assert.match(await page.locator("#problem-list .problem.advice .quote.python .here").first().textContent(), /nn\.max_pool/);
    assert.equal(await page.locator("#python-missing").isHidden(), true);
  });
});

test("tables sort by their headers", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    await page.click("#tab-ops");
    const first = () => page.locator("#ops tbody tr").first().locator("th").textContent();
    await page.click("#ops thead button >> text=Op");
    assert.equal(await page.locator("#ops th[aria-sort]").first().getAttribute("aria-sort"), "ascending");
    assert.match(await first(), /^chlo/);
    await page.click("#ops thead button >> text=Op");
    assert.equal(await page.locator("#ops th[aria-sort]").first().getAttribute("aria-sort"), "descending");
    assert.match(await first(), /^stablehlo\.t/);
  });
});

test("a pasted text is opened", async () => {
  await withPage(state, async (page) => {
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.setData("text/plain", "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  return %x : tensor<2xf32>\n}\n");
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    });
    assert.match(await converted(page), /^Converted in/);
    assert.equal(await page.locator("#file-name").textContent(), "pasted.mlir");
  });
});

test("the compiler dies, and the page goes on", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    const worker = page.workers().find((candidate) => /compiler/.test(candidate.url()));
    await worker.evaluate(() => void setTimeout(() => { throw new Error("out of memory"); }));
    await page.waitForSelector("#failure:not([hidden])");
    assert.match(await page.locator("#failure").textContent(), /The compiler stopped, and was started again.*out of memory/s);
    assert.equal(await page.locator("#download").isDisabled(), true);
    await page.click("#again");
    await page.waitForFunction(() => /^Converted/.test(document.getElementById("status").textContent));
    assert.equal(await page.locator("#failure").isHidden(), true);
    assert.equal(await page.locator("#download").isDisabled(), false);
  });
});

test("an option that changes after the compiler died reads the program again", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    const worker = page.workers().find((candidate) => /compiler/.test(candidate.url()));
    await worker.evaluate(() => void setTimeout(() => { throw new Error("out of memory"); }));
    await page.waitForSelector("#failure:not([hidden])");
    // The picture stays, but nothing can draw another one.
    await page.click("#graph-fold");
    await page.click("#tab-options");
    await page.check("#option-strict-nan");
    await page.waitForFunction(() => /^Converted again/.test(document.getElementById("status").textContent));
    assert.equal(await page.locator("#title").textContent(), "Converts exactly");
    await page.click("#tab-graph");
    await page.waitForFunction(() => !document.querySelector("#graph-canvas .module.open"));
  });
});

test("a compiler whose script cannot be loaded is reported once", async () => {
  await withPage(
    state,
    async (page) => {
      let requests = 0;
      await page.route(/compiler\.worker/, (route) => {
        requests += 1;
        return route.fulfill({ status: 404, body: "" });
      });
      await page.reload();
      await page.waitForSelector("#failure:not([hidden])");
      assert.match(await page.locator("#failure").textContent(), /The compiler did not start/);
      await page.waitForTimeout(300);
      assert.equal(requests, 1);
    },
    { allowed: (message) => /404/.test(message) },
  );
});

test("the theme can be chosen and is kept", async () => {
  await withPage(state, async (page) => {
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await paper();
    await page.click("#theme");
    assert.equal(await page.locator("#theme").textContent(), "Theme: dark");
    assert.notEqual(await paper(), before);
    await page.reload();
    await page.waitForFunction(() => document.getElementById("theme").textContent === "Theme: dark");
    assert.notEqual(await paper(), before);
    await page.click("#theme");
    assert.equal(await paper(), before);
    await page.click("#theme");
  });
});

test("every control has a name", async () => {
  await withPage(state, async (page) => {
    await demo(page);
    await page.locator("#graph-canvas [data-node]").first().click();
    const session = await page.context().newCDPSession(page);
    for (const tab of ["problems", "graph", "ops", "modules", "tensors", "options", "run"]) {
      await page.click(`#tab-${tab}`);
      const { nodes } = await session.send("Accessibility.getFullAXTree");
      const controls = nodes.filter(({ ignored, role }) => !ignored && /^(button|textbox|searchbox|spinbutton|combobox|checkbox|tab|tabpanel|region|link|splitter|progressbar)$/i.test(role?.value ?? ""));
      assert.ok(controls.length > 10);
      assert.deepEqual(controls.filter(({ name }) => !name?.value).map(({ role }) => role.value), [], tab);
    }
  });
});

test("a narrow window has one column, and nothing is wider than it", async () => {
  await withPage(state, async (page) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await demo(page);
    for (const tab of ["text", "problems", "graph", "ops", "modules", "tensors", "options", "run"]) {
      await page.click(`#tab-${tab}`);
      assert.equal(await page.locator(`#panel-${tab}`).isVisible(), true, tab);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, tab);
    }
    await page.click("#tab-problems");
    await page.locator("#problem-list .mlir").first().click();
    assert.equal(await page.locator("#panel-text").isVisible(), true);
  });
});
