// Loads a TypeScript module of the page that imports no other.

import { readFileSync } from "node:fs";

import { transformWithEsbuild } from "vite";

export async function load(name) {
  const url = new URL(`../../page/${name}`, import.meta.url);
  const { code } = await transformWithEsbuild(readFileSync(url, "utf8"), name, { loader: "ts", sourcemap: false });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}
