// The problems of fixtures/errors are at the places that the command line reports.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { FIXTURES, hlo2onnx, convertInWorker } from "./support/compiler.mjs";
import { browser, open, withPage } from "./support/page.mjs";

const state = browser();
const scratch = mkdtempSync(join(tmpdir(), "hlo2onnx-problems-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** The options in the header of a fixture: those of the command line, and those of the page. */
function options(text) {
  const args = [];
  const page = {};
  for (const [, key, value] of text.matchAll(/^\/\/! (\w+) = (.*)$/gm)) {
    const read = () => JSON.parse(value);
    if (key === "opset") (args.push("--opset", value), (page.opset = read()));
    else if (key === "target") (args.push("--target", read()), (page.target = read()));
    else if (key === "dynamic") (args.push(...read().flatMap((item) => ["--dynamic", item])), (page.dynamic = read()));
    else if (key === "float16") (args.push("--float16"), (page.float16 = true));
    else if (key === "keep_functions") (args.push("--keep-functions"), (page.keepFunctions = true));
    else if (key === "strict_nan") (args.push("--strict-nan"), (page.strictNan = true));
    // Only the command line explains fusions.
    else if (key === "explain_fusion") return null;
    else throw new Error(`the test does not know the option ${key}`);
  }
  return { args, page };
}

/** The cases of a file, each at its own lines, without the others. */
function cases(file) {
  const text = readFileSync(`${FIXTURES}errors/${file}`, "utf8");
  const found = options(text);
  if (!found) return [];
  let line = 0;
  return text.split(/^\/\/ -----\n/m).map((part, index) => {
    const above = "\n".repeat(line);
    line += part.split("\n").length;
    return { name: `${file.replace(/\.mlir$/, "")}.${index}.mlir`, text: above + part, ...found };
  });
}

/** The UTF-16 offset of a byte offset. */
function units(bytes, offset) {
  return bytes.subarray(0, offset).toString("utf8").length;
}

/** The problems of the same group as one, with the lines of all. The page shows twelve of these. */
function groups(diagnostics) {
  const all = new Map();
  for (const item of diagnostics) {
    const key = `${item.code} ${item.group}`;
    all.set(key, [...(all.get(key) ?? []), item]);
  }
  return [...all.values()].map((items) => {
    const lines = items.flatMap(({ labels }) => labels.slice(0, 1).map(({ line }) => line));
    return { ...items[0], lines: lines.filter((line, index) => line !== lines[index - 1]).slice(0, 12) };
  });
}

const sorted = (problems) => problems.map((problem) => JSON.stringify(problem)).sort();

test("each problem has the code, text and places of the command line", async () => {
  const all = readdirSync(`${FIXTURES}errors`).filter((name) => name.endsWith(".mlir")).flatMap(cases);
  assert.ok(all.length > 70);
  let compared = 0;
  await withPage(state, async (page) => {
    const found = await convertInWorker(page, all.map(({ name, text, page: options }) => ({ name, text, options })));
    all.forEach(({ name, text, args }, index) => {
      const { result, pane, error } = found[index];
      assert.equal(error, undefined, name);
      writeFileSync(join(scratch, name), text);
      const { stdout, stderr } = hlo2onnx(["check", "--format", "json", ...args, name], scratch);
      assert.ok(stdout, stderr);
      const [report] = JSON.parse(stdout).files;
      const bytes = Buffer.from(text);
      // Offsets into a text whose literals are shortened are those of the shortened text.
      const expected = groups(report.diagnostics.diagnostics).map(({ code, severity, message, help, count, labels, lines }) => {
        const places = labels.map(({ line, column, text, offset, end_offset: end }) => [line, column, text, ...(pane.elided ? [] : [units(bytes, offset), units(bytes, end)])]);
        return { code, severity, message, help, count, places, lines };
      });
      const actual = result.problems.map(({ code, severity, message, help, count, places: found, lines }) => {
        const places = found.map(({ line, column, label, from, to }) => [line, column, label, ...(pane.elided ? [] : [from, to])]);
        return { code, severity, message, help, count, places, lines };
      });
      assert.deepEqual(sorted(actual), sorted(expected), name);
      assert.equal(result.report.verdict, report.verdict, name);
      compared += expected.length;
    });
  });
  assert.ok(compared > 100, `${compared} problems`);
});

test("the list leads to the line, and the text has the marks", async () => {
  await withPage(state, async (page) => {
    const [{ name, text }] = cases("E0002.mlir");
    await open(page, { name, mimeType: "text/plain", buffer: Buffer.from(text) });
    assert.match(await page.locator("#problem-list .problem").first().textContent(), /E0002/);
    await page.locator("#problem-list .mlir").first().click();
    const line = await page.locator("#editor .cm-activeLine").textContent();
    assert.match(line, /stablehlo.add %x, :/);
    assert.equal(await page.locator("#editor .cm-lintRange-error").count(), 1);
  });
});

test("a filter ends with its program", async () => {
  await withPage(state, async (page) => {
    await page.click("#faulty");
    await page.waitForSelector("#problem-list .problem.error");
    await page.locator("#problem-filters .chip.error input").uncheck();
    await page.fill("#problem-search", "pool");
    assert.equal(await page.locator("#problem-list .problem.error").count(), 0);
    const text = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.add %x, : tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n";
    await open(page, { name: "one.mlir", mimeType: "text/plain", buffer: Buffer.from(text) });
    assert.equal(await page.locator("#problem-tools").isHidden(), true);
    assert.equal(await page.locator("#problem-list .problem.error").count(), 1);
    assert.equal(await page.locator("#problem-found").textContent(), "");
  });
});

test("a problem leads with its Python line and quotes it", async () => {
  await withPage(state, async (page) => {
    await page.click("#faulty");
    await page.waitForSelector("#problem-list .problem.error");
    const first = page.locator("#problem-list .problem.error").first();
    assert.match(await first.locator(".python-head").textContent(), /^faulty\.py:\d+ in \w+\.__call__$/);
    assert.match(await first.locator(".quote.python .here").textContent(), /lax\.rng_uniform|jax\.pure_callback/);
    // The Python line is above the message, which is above the text of the program.
    const tops = await Promise.all([".python-head", ".quote.python", ".message", ".help", ".mlir"].map((part) => first.locator(part).evaluate((element) => element.getBoundingClientRect().top)));
    assert.deepEqual(tops, tops.toSorted((a, b) => a - b));
    assert.equal(await page.locator("#download").isDisabled(), true);
    // The op of a repeat is marked too.
    assert.equal(await page.locator("#editor .cm-lintRange-error", { hasText: "stablehlo.rng" }).count(), 2);
  });
});
