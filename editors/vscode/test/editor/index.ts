// Runs the tests in the extension host, and writes their results to the file that the environment names.

import { readdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import Mocha from "mocha";

interface Result {
  readonly name: string;
  readonly milliseconds: number;
  readonly error?: string;
}

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: "tdd", timeout: 120_000 });
  for (const file of readdirSync(__dirname).filter((name) => name.endsWith(".test.js")).sort()) {
    mocha.addFile(path.join(__dirname, file));
  }
  const results: Result[] = [];
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    const add = (test: { fullTitle(): string; duration?: number | undefined }, error?: Error): void => {
      const result = { name: test.fullTitle(), milliseconds: test.duration ?? 0 };
      results.push(error === undefined ? result : { ...result, error: error.stack ?? String(error) });
    };
    runner.on("pass", (test) => add(test));
    runner.on("fail", (test, error: Error) => add(test, error));
  });
  const file = process.env["HLO2ONNX_TEST_RESULTS"];
  if (file !== undefined) {
    writeFileSync(file, JSON.stringify(results));
  }
  if (failures > 0) {
    throw new Error(`${failures} tests failed`);
  }
}
