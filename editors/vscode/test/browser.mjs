// A Chromium that is installed, since none is downloaded.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of the browser, or nothing. `CHROME` in the environment names another one. */
export function findBrowser() {
  const named = process.env["CHROME"];
  if (named) {
    return named;
  }
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file));
}
