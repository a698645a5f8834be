// Draws images/icon.png of images/icon.svg with an installed Chromium: `npm run icon`.

import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findBrowser } from "../test/browser.mjs";

const images = new URL("../images/", import.meta.url);
const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 128, height: 128 } });
const svg = readFileSync(new URL("icon.svg", images), "utf8");
await page.setContent(`<style>body { margin: 0 } svg { display: block }</style>${svg}`);
await page.screenshot({ path: fileURLToPath(new URL("icon.png", images)), omitBackground: true });
await browser.close();
