"""Writes the seed inputs of the fuzz targets from the fixtures: `python fuzz/seeds.py [MOST_BYTES]` fills fuzz/corpus.

Every case of a fixture is an input of `syntax` and `convert`, files of weights are inputs of `weights`, some compressed
texts are inputs of `decompress`, and artifacts are inputs of `bytecode`. Inputs longer than MOST_BYTES (4096) are omitted:
short ones are mutated faster.
"""

import gzip
import hashlib
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
FIXTURES = FUZZ.parent / "fixtures"


def cases() -> list[bytes]:
    """The texts of all cases, without their comments."""
    found = set()
    for path in [*FIXTURES.rglob("*.mlir"), FUZZ.parent / "tests" / "syntax.mlir"]:
        for case in path.read_text().split("// -----\n"):
            lines = [line for line in case.splitlines() if not line.startswith("//")]
            found.add("\n".join(lines).strip().encode())
    return sorted(found)


def save(target: str, inputs: list[bytes], most: int) -> None:
    """Writes inputs under the names that libFuzzer uses."""
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        if 0 < len(data) <= most:
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
    print(target, len(list(folder.iterdir())))


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    texts = cases()
    save("syntax", texts, most)
    save("convert", texts, most)
    weights = [path.read_bytes() for path in FIXTURES.glob("models/*/weights.*")]
    save("weights", weights, 4 * most)
    artifacts = [path for path in (FIXTURES / "bytecode").iterdir() if path.suffix in (".bin", ".mlirbc")]
    save("bytecode", [path.read_bytes() for path in artifacts], 4 * most)
    save("decompress", [gzip.compress(text, mtime=0) for text in texts[::50]], most)


if __name__ == "__main__":
    main()
