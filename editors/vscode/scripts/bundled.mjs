// Packages the extension with the program for one platform:
//
//     npm run package:bundled -- linux-x64 ../../target/release/hlo2onnx

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const [target, binary] = process.argv.slice(2);
if (!target || !binary) {
  console.error("usage: npm run package:bundled -- TARGET BINARY, such as linux-x64 ../../target/release/hlo2onnx");
  process.exit(2);
}
const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "bin");
// A binary of another platform must not stay in the package.
rmSync(bin, { recursive: true, force: true });
mkdirSync(bin);
try {
  const copy = join(bin, target.startsWith("win32") ? "hlo2onnx.exe" : "hlo2onnx");
  copyFileSync(binary, copy);
  chmodSync(copy, 0o755);
  const vsce = join(root, "node_modules", "@vscode", "vsce", "vsce");
  const options = ["package", "--no-dependencies", "--allow-missing-repository", "--target", target];
  execFileSync(process.execPath, [vsce, ...options], { cwd: root, stdio: "inherit" });
} finally {
  rmSync(bin, { recursive: true, force: true });
}
