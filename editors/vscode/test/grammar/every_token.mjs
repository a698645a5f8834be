// Every character of the repository's texts that is not a space has a scope of the grammar, and at the end of each
// text no bracket, string or type is open.

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../../../../", import.meta.url));
const grammarFile = fileURLToPath(new URL("../../syntaxes/mlir.tmLanguage.json", import.meta.url));

/** The editor does not color longer lines. */
const LONGEST_LINE = 20_000;

async function load() {
  await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(readFileSync(grammarFile, "utf8"), grammarFile),
  });
  return registry.loadGrammar("source.mlir");
}

const grammar = await load();
const texts = readdirSync(join(root, "fixtures"), { recursive: true })
  .filter((name) => name.endsWith(".mlir"))
  // Some of these are broken on purpose.
  .filter((name) => !/(^|[\\/])errors[\\/]/.test(name))
  .map((name) => join(root, "fixtures", name));
if (texts.length === 0) {
  throw new Error("there are no texts in fixtures/");
}

const faults = [];
let lines = 0;
for (const file of texts) {
  let stack = textmate.INITIAL;
  for (const [index, line] of readFileSync(file, "utf8").split(/\r?\n/).entries()) {
    if (line.length > LONGEST_LINE) {
      continue;
    }
    lines += 1;
    const result = grammar.tokenizeLine(line, stack);
    stack = result.ruleStack;
    for (const { startIndex, endIndex, scopes } of result.tokens) {
      const word = line.slice(startIndex, endIndex);
      const isPlain = scopes.every((scope) => scope === "source.mlir" || scope.startsWith("meta."));
      if (word.trim() !== "" && (isPlain || scopes.some((scope) => scope.startsWith("invalid.")))) {
        faults.push(`${file}:${index + 1}:${startIndex + 1}: \`${word}\` is ${scopes.join(" ")}`);
      }
    }
  }
  if (stack.depth > 1) {
    faults.push(`${file}: something is open at the end`);
  }
}
if (faults.length > 0) {
  console.error(faults.slice(0, 20).join("\n"));
  console.error(`${faults.length} faults`);
  process.exit(1);
}
console.log(`grammar: every token of ${texts.length} texts with ${lines} lines has a scope`);
