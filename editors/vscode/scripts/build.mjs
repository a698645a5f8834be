// Bundles the extension into dist/. With --production, the bundle is minified.

import { build } from "esbuild";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const isProduction = process.argv.includes("--production");
const root = fileURLToPath(new URL("..", import.meta.url));

// A map of an earlier bundle must not be packaged.
rmSync(`${root}/dist`, { recursive: true, force: true });

const shared = {
  absWorkingDir: root,
  bundle: true,
  minify: isProduction,
  logLevel: "warning",
};

await build({
  ...shared,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  // The editor provides this module.
  external: ["vscode"],
  format: "cjs",
  platform: "node",
  // Of the oldest editor that package.json allows.
  target: "node20",
  sourcemap: isProduction ? false : "linked",
});

// The script of a page.
await build({
  ...shared,
  entryPoints: ["src/webview/report.ts"],
  outfile: "dist/report.js",
  format: "iife",
  platform: "browser",
  target: "es2022",
});
