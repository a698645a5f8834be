/** The colors of MLIR text: a tokenizer that knows ops, values, types, literals and locations. */

import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { tags } from "@lezer/highlight";
import type { Extension } from "@codemirror/state";

const language = StreamLanguage.define<null>({
  name: "mlir",
  startState: () => null,
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match("//")) {
      stream.skipToEnd();
      return "comment";
    }
    // An op in its generic form is quoted.
    if (stream.match(/^"[a-z_]\w*\.[\w.$]+"(?=\()/i)) return "keyword";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^%[\w$.#-]+/)) return "variableName";
    if (stream.match(/^@[\w$.-]+|^@"[^"]*"/)) return "labelName";
    if (stream.match(/^#[\w$.-]+/)) return "meta";
    if (stream.match(/^!?[a-z_]\w*\.[\w.$]+/i)) return "keyword";
    if (stream.match(/^(?:tensor|tuple|complex|memref|vector)(?=<)/)) return "typeName";
    if (stream.match(/^-?\d+(?:x\d+)*x(?=[a-z!?<])/)) return "typeName";
    if (stream.match(/^(?:[su]?i|ui|f|bf|c)\d+\w*(?![\w.])/i)) return "typeName";
    if (stream.match(/^-?\d[\w.+]*/)) return "number";
    if (stream.match(/^(?:module|func|dense|loc|attributes|true|false|private|public|unit)\b/)) return "modifier";
    if (stream.match(/^[\w$]+/)) return null;
    stream.next();
    return null;
  },
});

const style = HighlightStyle.define([
  { tag: tags.comment, class: "t-comment" },
  { tag: tags.string, class: "t-string" },
  { tag: tags.variableName, class: "t-value" },
  { tag: tags.labelName, class: "t-symbol" },
  { tag: tags.meta, class: "t-location" },
  { tag: tags.keyword, class: "t-op" },
  { tag: tags.typeName, class: "t-type" },
  { tag: tags.number, class: "t-number" },
  { tag: tags.modifier, class: "t-word" },
]);

export const mlir: Extension = [language, syntaxHighlighting(style)];

/** The op that a line begins, such as `stablehlo.add`, or null. */
export function opOfLine(line: string): string | null {
  const found = /^\s*(?:[%\w:, ]*=\s*)?"?([a-z_][\w$]*\.[\w$.]+)"?(?=[\s(@%<:{]|$)/.exec(line);
  return found?.[1] ?? null;
}
