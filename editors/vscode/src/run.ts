// Runs the program once, for a command.

import { spawn } from "node:child_process";
import * as vscode from "vscode";
import type { Program } from "./program";

export interface Outcome {
  /** The exit status, or nothing if the program was ended. */
  readonly status: number | undefined;
  /** What it wrote, from both streams in the order of arrival. */
  readonly output: string;
}

/** Output beyond this is dropped. */
const MOST_CHARACTERS = 4_000_000;

/** Runs the program until it ends or the user cancels. */
export function run(
  program: Program,
  words: readonly string[],
  folder: string | undefined,
  token: vscode.CancellationToken,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.command, [...program.arguments, ...words], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    let output = "";
    const add = (text: string): void => {
      output += text.slice(0, MOST_CHARACTERS - output.length);
    };
    child.stdout.setEncoding("utf8").on("data", add);
    child.stderr.setEncoding("utf8").on("data", add);
    const cancellation = token.onCancellationRequested(() => child.kill());
    child.on("error", (error) => {
      cancellation.dispose();
      reject(error);
    });
    child.on("close", (status) => {
      cancellation.dispose();
      resolve({ status: status ?? undefined, output });
    });
  });
}
