"""Runs the queries of Helix and Zed on a text with the packages tree-sitter and tree-sitter-mlir (0.2.0)."""

from __future__ import annotations

import sys
from pathlib import Path

EDITORS = Path(__file__).parent
# The colors of words of the text, by the editor.
EXPECTED = {
    "helix": {
        "func.func": "keyword.function",
        "@main": "function",
        "%arg0": "variable",
        "stablehlo.add": "keyword.operator",
        '"test.op"': "keyword.operator",
        "dimension": "variable.other.member",
        '"a"': "string",
        "return": "keyword.control.return",
    },
    "zed": {
        "func.func": "keyword",
        "@main": "string.special.symbol",
        "%arg0": "variable",
        "stablehlo.add": "function",
        '"test.op"': "function",
        "dimension": "property",
        '"a"': "string",
        "return": "keyword",
    },
}
TEXT = b"""\
func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %arg0, %arg0 : tensor<4xf32> loc("a")
  %1 = "test.op"(%0) {dimension = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
"""


def main() -> int:
    """Run the test, and return the exit status."""
    try:
        import tree_sitter
        import tree_sitter_mlir
    except ImportError as error:
        print(f"skipped: the queries of Helix and Zed: {error}")
        return 0
    language = tree_sitter.Language(tree_sitter_mlir.language())
    tree = tree_sitter.Parser(language).parse(TEXT)
    files = sorted(EDITORS.glob("*/**/*.scm"))
    failed = 0
    for file in files:
        editor = file.relative_to(EDITORS).parts[0]
        query = tree_sitter.Query(language, file.read_text())
        wrong = []
        found: dict[str, str] = {}
        # In the order of the patterns, where a later one wins.
        for _, captures in sorted(tree_sitter.QueryCursor(query).matches(tree.root_node), key=lambda match: match[0]):
            for name, nodes in captures.items():
                found.update({(node.text or b"").decode(): name for node in nodes})
        if not found:
            wrong.append("nothing is found")
        if file.name == "highlights.scm":
            wrong += [f"{word} is {found.get(word)}" for word, name in EXPECTED[editor].items() if found.get(word) != name]
        print(f"{'FAILED' if wrong else 'ok'}: {file.relative_to(EDITORS)} {', '.join(wrong)}".rstrip())
        failed += bool(wrong)
    print(f"{len(files) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
