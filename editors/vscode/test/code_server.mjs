// VS Code as a server, with its workbench in a browser: the npm package code-server holds it. It is installed once into
// a cache, without the parts that need other tools.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The releases that were tried, by the major version of Node, which the package's binary modules are built for. */
const RELEASES = { 20: "4.100.3" };
/** The modules without which the server does not start or does not watch files. */
const BINARY_MODULES = ["@vscode/spdlog", "native-watchdog", "@parcel/watcher"];

/** The folder of the editor, or the reason why there is none. */
export function installEditor() {
  const major = Number(process.versions.node.split(".")[0]);
  const release = RELEASES[major];
  if (release === undefined) {
    return { reason: `no release of code-server for Node ${major}` };
  }
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(cache, "hlo2onnx", `code-server-${release}-node${major}`);
  const editor = join(folder, "node_modules", "code-server", "lib", "vscode");
  const isComplete = join(folder, "complete");
  if (existsSync(isComplete)) {
    return { editor, release };
  }
  console.log(`installing code-server ${release} into ${folder}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const npm = (where, ...words) => {
    const options = { cwd: where, encoding: "utf8", shell: process.platform === "win32", timeout: 900_000 };
    const { status, stderr } = spawnSync("npm", [...words, "--no-audit", "--no-fund", "--loglevel=error"], options);
    return status === 0 ? undefined : `npm ${words.join(" ")}: ${(stderr ?? "").trim().split("\n").slice(-3).join(" ")}`;
  };
  const prefix = dirname(dirname(process.execPath));
  // Without its headers here, the build would download them.
  const headers = existsSync(join(prefix, "include", "node", "node.h")) ? [`--nodedir=${prefix}`] : [];
  const steps = [
    () => npm(folder, "install", `code-server@${release}`, "--ignore-scripts"),
    () => npm(editor, "install", "--omit=dev", "--ignore-scripts"),
    ...BINARY_MODULES.map((name) => () => npm(editor, "rebuild", name, ...headers)),
  ];
  for (const step of steps) {
    const reason = step();
    if (reason !== undefined) {
      return { reason };
    }
  }
  writeFileSync(isComplete, "");
  return { editor, release };
}

/** Starts the server in a folder for its own files. */
export async function startEditor(editor, folder, environment) {
  const port = await freePort();
  const words = [
    join(editor, "out", "server-main.js"),
    ...["--host", "127.0.0.1", "--port", String(port), "--without-connection-token"],
    ...["--accept-server-license-terms", "--disable-telemetry", "--disable-workspace-trust"],
    // Else a login shell sets `PATH`.
    "--force-disable-user-env",
    ...["--user-data-dir", join(folder, "user"), "--server-data-dir", join(folder, "server")],
    ...["--extensions-dir", join(folder, "extensions")],
  ];
  const server = spawn(process.execPath, words, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  await new Promise((resolve, reject) => {
    const read = (data) => {
      output += data;
      if (output.includes("Extension host agent listening")) {
        resolve();
      }
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.on("exit", (status) => reject(new Error(`the editor ended with ${status}:\n${output}`)));
  });
  return {
    port,
    /** What the server printed. */
    output: () => output,
    stop: () => {
      server.removeAllListeners("exit");
      server.kill();
    },
  };
}

/** Installs a packaged extension. */
export function installExtension(editor, folder, vsix) {
  const words = [
    join(editor, "out", "server-main.js"),
    ...["--install-extension", vsix, "--accept-server-license-terms"],
    ...["--user-data-dir", join(folder, "user"), "--server-data-dir", join(folder, "server")],
    ...["--extensions-dir", join(folder, "extensions")],
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0 || !/successfully installed/.test(stdout)) {
    throw new Error(`the package is not installed: ${stdout}${stderr}`);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
