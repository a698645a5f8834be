// Finds the program `hlo2onnx`.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { settings } from "./settings";

/** How the program is started. */
export interface Program {
  readonly command: string;
  /** What precedes its own arguments. */
  readonly arguments: readonly string[];
  /** Where it was found, for people. */
  readonly origin: string;
}

/** Why there is no program. */
export class NotFound extends Error {}

const EXECUTABLE = process.platform === "win32" ? "hlo2onnx.exe" : "hlo2onnx";

/**
 * The program of the settings, else of the extension, of `PATH`, or of the Python package.
 *
 * @throws NotFound
 */
export async function findProgram(extension: vscode.Uri): Promise<Program> {
  const configured = settings().path;
  if (configured !== "") {
    const command = expanded(configured);
    // A name without a folder is looked up in PATH.
    const found = command === path.basename(command) ? await onPath([command]) : await executable(command);
    if (found === undefined) {
      throw new NotFound(`The setting hlo2onnx.path names \`${command}\`, which is not a program.`);
    }
    return { command: found, arguments: [], origin: "setting hlo2onnx.path" };
  }
  const bundled = await executable(vscode.Uri.joinPath(extension, "bin", EXECUTABLE).fsPath);
  if (bundled !== undefined) {
    return { command: bundled, arguments: [], origin: "extension" };
  }
  const installed = await onPath([EXECUTABLE]);
  if (installed !== undefined) {
    return { command: installed, arguments: [], origin: "PATH" };
  }
  for (const python of await pythons()) {
    if (await hasPackage(python)) {
      return { command: python, arguments: ["-m", "hlo2onnx"], origin: "Python package" };
    }
  }
  throw new NotFound("The program hlo2onnx is neither on PATH nor in the selected Python environment.");
}

/** A path of the settings with the folders that it may name. */
function expanded(configured: string): string {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  let result = configured.replace(/^~(?=$|[\\/])/, () => homedir());
  result = result.replaceAll("${userHome}", homedir());
  if (folder !== undefined) {
    result = result.replaceAll("${workspaceFolder}", folder);
  }
  const isRelative = !path.isAbsolute(result) && /[\\/]/.test(result);
  return isRelative && folder !== undefined ? path.join(folder, result) : result;
}

async function executable(file: string): Promise<string | undefined> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

/** The first of some programs that a folder of `PATH` holds. */
async function onPath(names: readonly string[]): Promise<string | undefined> {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const isWindows = process.platform === "win32";
  for (const name of names) {
    const file = isWindows && path.extname(name) === "" ? `${name}.exe` : name;
    for (const folder of folders) {
      const found = await executable(path.join(folder, file));
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

/** The part of the Python extension's interface that is used here. */
interface PythonExtension {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(environment: unknown): Promise<
      { readonly executable: { readonly uri?: vscode.Uri } } | undefined
    >;
  };
}

/** The interpreters to try: the selected one, and those on `PATH`. */
async function pythons(): Promise<string[]> {
  const found: (string | undefined)[] = [];
  const extension = vscode.extensions.getExtension<PythonExtension>("ms-python.python");
  if (extension !== undefined) {
    try {
      const { environments } = await extension.activate();
      const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
      const selected = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath(folder));
      found.push(selected?.executable.uri?.fsPath);
    } catch {
      // An extension that fails must not stop the search.
    }
  }
  found.push(await onPath(["python3"]), await onPath(["python"]));
  return [...new Set(found.filter((python) => python !== undefined))];
}

/** Whether an interpreter has the package. It is not imported, since that takes long. */
function hasPackage(python: string): Promise<boolean> {
  const question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('hlo2onnx') is None)";
  return new Promise((resolve) => {
    execFile(python, ["-c", question], { timeout: 10_000 }, (error) => resolve(error === null));
  });
}
