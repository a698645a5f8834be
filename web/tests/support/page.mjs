// Opens the page in a browser, and fails a test in which the page logs anything or asks another host.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";

import { chromium } from "playwright-core";

import { serve } from "./server.mjs";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a server and a browser for the tests of a file. */
export function browser(options = {}) {
  const state = { address: "", context: null };
  let server;
  let profile;
  before(async () => {
    server = await serve();
    profile = mkdtempSync(join(tmpdir(), "hlo2onnx-page-"));
    state.address = server.address;
    state.context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: ARGUMENTS,
      viewport: { width: 1400, height: 900 },
      ...options,
    });
  });
  after(async () => {
    await state.context?.close();
    await server?.close();
    rmSync(profile, { recursive: true, force: true });
  });
  return state;
}

/** Opens the page, runs a test in it, and checks that it was silent and stayed on its own server. */
export async function withPage(state, test, { address = state.address, allowed = () => false } = {}) {
  const page = await state.context.newPage();
  const messages = [];
  const foreign = [];
  page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => messages.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(state.address) && !url.startsWith("blob:")) foreign.push(url);
  });
  try {
    await page.goto(address);
    await page.waitForFunction(() => document.getElementById("version")?.textContent !== "");
    await test(page);
  } finally {
    await page.close();
  }
  assert.deepEqual(messages.filter((message) => !allowed(message)), [], "messages on the console");
  assert.deepEqual(foreign, [], "requests to other hosts");
}

/** The text of the status once a conversion ended. */
export async function converted(page) {
  await page.waitForFunction(() => /^Converted|^Not converted|^An option is wrong/.test(document.getElementById("status").textContent) || !document.getElementById("failure").hidden);
  return page.locator("#status").textContent();
}

/** Opens files of the disk, or `{ name, mimeType, buffer }`, and waits for the conversion. */
export async function open(page, files) {
  await page.evaluate(() => (document.getElementById("status").textContent = ""));
  await page.setInputFiles("#choose", files);
  return converted(page);
}
