// Builds the page: the compiler as WebAssembly, its bindings, and dist.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));
const root = dirname(web);
const windows = process.platform === "win32";

/** Runs a command, shows its output, and ends the build if it fails. */
function run(command, args, cwd = root) {
  const { status, signal, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (error || status !== 0) {
    const why = error ? error.message : signal ? `was ended by ${signal}` : `ended with status ${status}`;
    console.error(`${command} ${args.join(" ")}: ${why}`);
    process.exit(1);
  }
}

/** The output of a command, or null if it fails. */
function output(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  return status === 0 ? stdout : null;
}

/** The version of wasm-bindgen in Cargo.lock: the bindings must come from the same one. */
function lockedVersion() {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  const found = /name = "wasm-bindgen"\r?\nversion = "([^"]+)"/.exec(lock);
  if (!found) {
    console.error("Cargo.lock has no wasm-bindgen");
    process.exit(1);
  }
  return found[1];
}

/** The path of wasm-bindgen in the locked version: an installed one, or one that is installed below target. */
function wasmBindgen(target) {
  const version = lockedVersion();
  const own = join(root, "target", "tools", "bin", windows ? "wasm-bindgen.exe" : "wasm-bindgen");
  for (const command of ["wasm-bindgen", own]) {
    if (output(command, ["--version"])?.trim() === `wasm-bindgen ${version}`) return command;
  }
  const tools = join(root, "target", "tools");
  run("cargo", ["install", "wasm-bindgen-cli", "--version", version, "--no-default-features", "--root", tools, "--target-dir", join(target, "tools-build")]);
  return own;
}

const metadata = output("cargo", ["metadata", "--format-version", "1", "--no-deps", "--locked"]);
if (!metadata) {
  console.error("cargo metadata failed; is cargo installed, and is Cargo.lock up to date?");
  process.exit(1);
}
const target = JSON.parse(metadata).target_directory;
const bindgen = wasmBindgen(target);
run("cargo", ["build", "--locked", "--profile", "web", "-p", "hlo2onnx-web", "--target", "wasm32-unknown-unknown"]);
const wasm = join(target, "wasm32-unknown-unknown", "web", "hlo2onnx_web.wasm");
if (!existsSync(wasm)) {
  console.error(`cargo did not write ${wasm}`);
  process.exit(1);
}
run(bindgen, ["--target", "web", "--out-dir", join(web, "generated"), wasm]);
if (!existsSync(join(web, "node_modules"))) run(windows ? "npm.cmd" : "npm", ["ci", "--ignore-scripts"], web);
run(process.execPath, [join(web, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", web], web);
run(process.execPath, [join(web, "node_modules", "vite", "bin", "vite.js"), "build"], web);
