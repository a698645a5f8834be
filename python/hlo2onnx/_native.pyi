from collections.abc import Sequence
from typing import Any

__version__: str

class Values:
    def json(self) -> str: ...
    def program(
        self, values: Sequence[int], double: bool = False
    ) -> tuple[str, list[tuple[str, list[int], bytes]]]: ...

class Converted:
    model: bytes | None
    diagnostics: str
    text: str
    values: Values | None

def convert_text(
    input: str | tuple[str, bytes], request: dict[str, Any], output: str | None = None
) -> Converted: ...
def check_text(input: str | tuple[str, bytes], request: dict[str, Any]) -> str: ...
def run(arguments: Sequence[str]) -> int: ...
