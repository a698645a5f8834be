import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

/** The files of the examples: their paths in dist, and where they come from. */
const EXAMPLES: Record<string, string> = {
  "examples/demo/model.args.mlir": "../fixtures/models/demo/model.args.mlir",
  "examples/demo/weights.safetensors": "../fixtures/models/demo/weights.safetensors",
  "examples/faulty/faulty.mlir": "examples/faulty.mlir",
  "examples/faulty/faulty.py": "examples/faulty.py",
};

/** Copies the examples, so that the page shows the files that the tests of the compiler use. */
function examples(): Plugin {
  return {
    name: "examples",
    generateBundle() {
      for (const [fileName, from] of Object.entries(EXAMPLES)) {
        const source = readFileSync(fileURLToPath(new URL(from, import.meta.url)));
        this.emitFile({ type: "asset", fileName, source });
      }
    },
  };
}

export default defineConfig({
  // The page works below any path of a server.
  base: "./",
  plugins: [examples()],
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: "dist",
    // An inlined asset would be a data: URL, which the content security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    reportCompressedSize: false,
  },
});
