// The page writes the same bytes as the command line, for each model of fixtures/models.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { FIXTURES, hlo2onnx } from "./support/compiler.mjs";
import { browser, open, withPage } from "./support/page.mjs";

const state = browser();
const scratch = mkdtempSync(join(tmpdir(), "hlo2onnx-models-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const folders = readdirSync(`${FIXTURES}models`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const texts = folders.flatMap(({ name }) =>
  readdirSync(`${FIXTURES}models/${name}`)
    .filter((file) => file.endsWith(".mlir"))
    .map((file) => ({ folder: name, file })),
);

for (const { folder, file } of texts) {
  test(`${folder}/${file}`, async () => {
    const path = `${FIXTURES}models/${folder}/`;
    const weights = file === "model.args.mlir" ? ["weights.safetensors", "weights.npz", "weights.msgpack"].filter((name) => existsSync(path + name)) : [null];
    for (const weight of weights) {
      const expected = join(scratch, "expected.onnx");
      const { stderr } = hlo2onnx(["convert", file, "-o", expected, ...(weight ? ["--weights", weight] : [])], path);
      assert.ok(existsSync(expected), stderr);
      await withPage(state, async (page) => {
        await open(page, [path + file, ...(weight ? [path + weight] : [])]);
        const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
        assert.equal(download.suggestedFilename(), file.replace(/\.mlir$/, ".onnx"));
        const actual = readFileSync(await download.path());
        assert.ok(actual.equals(readFileSync(expected)), `the file of the page differs from that of the command line, ${weight ?? "without weights"}`);
      });
      rmSync(expected);
    }
  });
}
