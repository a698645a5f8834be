// Takes pictures of the page, light, dark and narrow, for people to look at:
//   node tests/screenshots.mjs FOLDER

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { serve } from "./support/server.mjs";

const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), "hlo2onnx-screens-"));
mkdirSync(folder, { recursive: true });
const server = await serve();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const KINDS = {
  light: { viewport: { width: 1400, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1400, height: 900 }, colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "light", hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};
for (const [kind, options] of Object.entries(KINDS)) {
  const page = await browser.newPage(options);
  page.on("console", (message) => console.log(kind, message.text()));
  page.on("pageerror", (error) => console.log(kind, error.message));
  const shot = async (name) => {
    await page.waitForTimeout(250);
    await page.screenshot({ path: join(folder, `${kind}-${name}.png`) });
  };
  await page.goto(server.address);
  await shot("start");
  await page.click("#faulty");
  await page.waitForFunction(() => document.getElementById("status").textContent.startsWith("Not converted"));
  await shot("problems");
  if (kind === "narrow") {
    await page.click("#tab-text");
    await shot("text");
  }
  await page.click("#demo");
  await page.waitForFunction(() => document.getElementById("status").textContent.startsWith("Converted") && document.getElementById("title").textContent.startsWith("Converts"));
  await page.click("#tab-graph");
  await page.waitForSelector("#graph-canvas svg");
  await shot("graph");
  await page.fill("#graph-search", "softmax");
  await page.press("#graph-search", "Enter");
  await shot("search");
  for (const tab of ["ops", "modules", "tensors", "options", "run"]) {
    await page.click(`#tab-${tab}`);
    if (tab === "options") await page.check("#option-strict-nan");
    if (tab === "options") await page.waitForTimeout(500);
    if (tab === "run") await page.click("#run-go");
    if (tab === "run") await page.waitForFunction(() => /ran in|did not run/.test(document.getElementById("run-status").textContent), null, { timeout: 60_000 });
    await shot(tab);
  }
  await page.close();
}
await browser.close();
await server.close();
console.log(folder);
