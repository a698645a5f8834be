// The command line, to which the page is compared, and the worker of the built page without its page.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { DIST } from "./server.mjs";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const FIXTURES = `${ROOT}fixtures/`;
const BINARY = process.env.HLO2ONNX_BIN ?? `${ROOT}target/release/hlo2onnx`;

/** Runs the command line and returns its output; its status is that of the conversion. */
export function hlo2onnx(args, cwd = ROOT) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} does not exist: build the command line, or name it in HLO2ONNX_BIN`);
  const { stdout, stderr, error } = spawnSync(BINARY, args, { cwd, encoding: "utf8", maxBuffer: 1 << 28 });
  if (error) throw error;
  return { stdout, stderr };
}

/** The name of a file of dist that begins so. */
export function asset(beginning, end) {
  const found = readdirSync(`${DIST}assets`).find((name) => name.startsWith(beginning) && name.endsWith(end));
  if (!found) throw new Error(`dist has no ${beginning}*${end}: run npm run build`);
  return `assets/${found}`;
}

/**
 * Converts texts by the worker of the page, in a page. Each is `{ name, text, options }`, and becomes
 * `{ result, pane, milliseconds }` or `{ error }`.
 */
export function convertInWorker(page, texts) {
  return page.evaluate(
    async ({ url, texts }) => {
      const worker = new Worker(url, { type: "module" });
      let next = 0;
      const ask = (command) =>
        new Promise((resolve, reject) => {
          const id = next++;
          const nodes = [];
          const listen = ({ data }) => {
            if (data.id !== id) return;
            if (data.nodes) nodes.push(...data.nodes);
            if (!("reply" in data || "error" in data || "stopped" in data)) return;
            worker.removeEventListener("message", listen);
            if ("reply" in data) resolve({ ...data.reply, nodes });
            else reject(new Error(data.error ?? `stopped: ${data.stopped}`));
          };
          worker.addEventListener("message", listen);
          worker.postMessage({ id, command });
        });
      await ask({ kind: "start", isFirst: true });
      const results = [];
      for (const { name, text, options } of texts) {
        try {
          const { pane } = await ask({ kind: "load", program: { name, data: new Blob([text]) }, weights: [] });
          const { result, milliseconds, nodes } = await ask({ kind: "convert", options: options ?? {} });
          results.push({ result: { ...result, nodes }, pane, milliseconds });
        } catch (error) {
          results.push({ error: error.message });
        }
      }
      worker.terminate();
      return results;
    },
    { url: asset("compiler.worker", ".js"), texts },
  );
}
