// Uses the packaged extension as a person does, through the workbench.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { installExtension, startEditor } from "./code_server.mjs";
import { BROWSER_OPTIONS, environmentWith } from "./extension_host.mjs";
import { writeWorkspace } from "./workspace.mjs";

async function eventually(what, probe) {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await probe();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`there is no ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function assert(holds, message) {
  if (!holds) {
    throw new Error(message);
  }
}

/** The steps of one session, in order. */
function steps(page, workspace) {
  const input = page.locator(".quick-input-widget input").first();
  const rows = page.locator(".quick-input-list .monaco-list-row");
  const openFile = async (name) => {
    // The group of the text, and not that of the report.
    await page.keyboard.press("Control+1");
    // The search for files needs a tool that is not installed.
    await page.locator(".explorer-folders-view .monaco-list-row", { hasText: name }).dblclick();
    await page.locator(`.tab.active[data-resource-name="${name}"]`).first().waitFor();
  };
  const palette = async (text) => {
    await page.keyboard.press("F1");
    await input.waitFor({ state: "visible" });
    await input.fill(`>${text}`);
    await page.waitForTimeout(500);
    return rows.allInnerTexts();
  };
  const report = () =>
    eventually("report", async () => {
      for (const frame of page.frames()) {
        if ((await frame.locator("header.top h1").count().catch(() => 0)) > 0) {
          return frame;
        }
      }
      return undefined;
    });
  return {
    "a text has colors and a squiggle": async () => {
      await openFile("broken.mlir");
      await page.locator(".squiggly-error").first().waitFor();
      const colors = await page.evaluate(() => {
        const words = [...document.querySelectorAll(".view-line span span")];
        return new Set(words.map((word) => getComputedStyle(word).color)).size;
      });
      assert(colors >= 5, `only ${colors} colors`);
    },
    "the problems list the text and the Python file": async () => {
      await page.keyboard.press("Control+Shift+M");
      const panel = page.locator(".markers-panel");
      for (const name of ["broken.mlir", "program.py"]) {
        await panel.locator(".monaco-list-row", { hasText: name }).first().waitFor();
      }
      await panel.locator(".monaco-list-row", { hasText: "E0204" }).first().waitFor();
      await page.keyboard.press("Control+Shift+M");
    },
    "the title of the editor has a button for the report, which opens it": async () => {
      await openFile("broken.mlir");
      await page.locator(".editor-actions").getByRole("button", { name: "Show the Report" }).first().click();
      const frame = await report();
      assert((await frame.locator("h1").innerText()) === "Does not convert", "the headline is wrong");
      const size = await frame.locator("h1").evaluate((heading) => parseFloat(getComputedStyle(heading).fontSize));
      assert(size > 20, "the page has no style");
    },
    "the scripts of the report run": async () => {
      const frame = await report();
      assert(await frame.locator("figure.text .number.goes").first().isVisible(), "no line can be clicked");
      const search = frame.locator("#search");
      await search.fill("no such problem");
      const found = await frame.locator("#found").innerText();
      assert(found.startsWith("0 of "), `the search found ${found}`);
      await search.fill("");
    },
    "the report has the theme of the editor, not that of the system": async () => {
      const brightness = async () => {
        const frame = await report();
        const color = await frame.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);
        return Number(/\d+/.exec(color)[0]);
      };
      assert((await brightness()) > 200, "the report is dark beside a light editor");
      const toggle = async () => {
        await palette("Toggle between Light/Dark Themes");
        await page.keyboard.press("Enter");
      };
      await toggle();
      await eventually("dark report", async () => (await brightness().catch(() => 255)) < 60);
      await toggle();
      await eventually("light report", async () => (await brightness().catch(() => 0)) > 200);
    },
    "a line of the report reveals the line of the text": async () => {
      const frame = await report();
      await frame.locator("figure.text .number.goes").first().click();
      await eventually("cursor in line 3", async () =>
        (await page.locator(".statusbar-item", { hasText: /Ln \d+/ }).innerText()).includes("Ln 3"),
      );
    },
    "a line of Python in the report opens the file": async () => {
      const frame = await report();
      await frame.locator("figure.python .number.goes").first().click();
      await page.locator('.tab.active[data-resource-name="program.py"]').waitFor();
      await page.locator(".squiggly-error").first().waitFor();
    },
    "the palette has the commands for MLIR only": async () => {
      await openFile("program.py");
      assert(!(await palette("hlo2onnx: ")).some((row) => row.includes("hlo2onnx: ")), "Python has the commands");
      await page.keyboard.press("Escape");
      await openFile("model.mlir");
      const found = (await palette("hlo2onnx: ")).join("\n");
      for (const title of ["Convert to ONNX", "Check", "Show the Report", "Restart the Server"]) {
        assert(found.includes(`hlo2onnx: ${title}`), `the palette lacks ${title}: ${found}`);
      }
      await page.keyboard.press("Escape");
    },
    "the explorer converts a text": async () => {
      const file = page.locator(".explorer-folders-view .monaco-list-row", { hasText: "model.mlir" });
      await file.click({ button: "right" });
      const item = page.getByRole("menuitem", { name: "Convert to ONNX" });
      await item.hover();
      // A menu ignores clicks while it opens.
      await page.waitForTimeout(500);
      await item.click();
      await input.waitFor({ state: "visible" });
      await eventually("proposed name", async () => (await input.inputValue()).endsWith("model.onnx"));
      await page.keyboard.press("Enter");
      await eventually("model", () => existsSync(join(workspace, "model.onnx")));
      await page.locator(".notification-list-item-message", { hasText: "model.onnx" }).waitFor();
    },
  };
}

export async function testInstalled({ folder, program, browser, editor, vsix }) {
  const own = join(folder, "installed");
  const workspace = join(own, "workspace");
  mkdirSync(own, { recursive: true });
  writeWorkspace(workspace);
  installExtension(editor, own, vsix);
  const server = await startEditor(editor, own, environmentWith(program));
  const chrome = await chromium.launch({ executablePath: browser, args: BROWSER_OPTIONS });
  const results = [];
  try {
    const page = await chrome.newPage({ colorScheme: "dark", viewport: { width: 1600, height: 1000 } });
    page.setDefaultTimeout(60_000);
    const address = new URL(`http://127.0.0.1:${server.port}/`);
    address.searchParams.set("folder", workspace);
    await page.goto(address.href);
    await page.locator(".explorer-folders-view .monaco-list-row", { hasText: "model.mlir" }).waitFor();
    for (const [name, step] of Object.entries(steps(page, workspace))) {
      const start = Date.now();
      const error = await step().then(() => undefined, (error) => error.stack);
      const picture = process.env["HLO2ONNX_PICTURES"];
      if (picture) {
        await page.screenshot({ path: join(picture, `${results.length}.png`) });
      }
      results.push({ name: `installed: ${name}`, milliseconds: Date.now() - start, error });
    }
  } finally {
    await chrome.close();
    server.stop();
  }
  return results;
}
