"""Runs the tests of the package with JAX releases from the oldest to the newest.

    python3 python/tests/matrix.py                       # all releases that an interpreter is found for
    python3 python/tests/matrix.py --jax 0.4.30 newest
    python3 python/tests/matrix.py --python /usr/bin/python3.12 --jax newest -- -k names

Each release has its environment under ``target/python``, which is made once; a changed list of packages makes it anew. The
native half is built with ``cargo build -p hlo2onnx-python``, and the package is assembled next to the environment, so that
nothing is written between the sources.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
Version = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Release:
    """A JAX release, with the versions that fit it."""

    jax: str
    packages: tuple[str, ...]
    oldest: Version
    newest: Version | None = None
    """The newest Python that has wheels of it."""
    documents: bool = False
    """Whether the tests build the site, run the notebook and draw the picture as well."""

    def requirements(self) -> list[str]:
        """The packages of its environment."""
        lines = (ROOT / "docs" / "requirements.txt").read_text().splitlines() if self.documents else []
        documents = [line for line in lines if line and not line.startswith("#")]
        return [*self.packages, *COMMON, *documents]


COMMON = ("equinox", "onnx", "onnx_ir", "onnxruntime", "pytest")
RELEASES = (
    Release("0.4.30", ("jax==0.4.30", "jaxlib==0.4.30", "flax==0.8.5"), (3, 10), (3, 12)),
    Release("0.4.38", ("jax==0.4.38", "jaxlib==0.4.38", "flax==0.10.2"), (3, 10), (3, 13)),
    Release("0.6.2", ("jax==0.6.2", "jaxlib==0.6.2", "flax==0.10.7"), (3, 10), (3, 13)),
    Release("0.8.1", ("jax==0.8.1", "jaxlib==0.8.1", "flax==0.12.1"), (3, 11)),
    Release("0.10.2", ("jax==0.10.2", "jaxlib==0.10.2", "flax==0.12.8", "keras"), (3, 11)),
    Release("newest", ("jax", "flax", "keras"), (3, 10), documents=True),
)


class Missing(Exception):
    """Something that the tests need is missing."""


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = ["oldest", *(release.jax for release in RELEASES)]
    parser.add_argument("--jax", nargs="+", choices=choices, help="only these; `oldest` is that of an interpreter at hand")
    parser.add_argument("--python", action="append", help="an interpreter to choose from, instead of those on PATH")
    parser.add_argument("--target-dir", type=pathlib.Path, default=ROOT / "target", help="cargo's folder")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    arguments = parser.parse_args()
    try:
        interpreters = find_interpreters(arguments.python)
        wanted = select(arguments.jax, interpreters)
        library = build(arguments.target_dir)
    except Missing as error:
        print(error, file=sys.stderr)
        return 2
    failed = []
    for release in wanted:
        started = time.monotonic()
        try:
            python = environment(release, choose(release, interpreters), arguments.target_dir / "python")
            passed = run(python, library, arguments.pytest)
        except Missing as error:
            if arguments.jax is None and isinstance(error, NoInterpreter):
                print(f"JAX {release.jax}: skipped, {error}", flush=True)
                continue
            print(f"JAX {release.jax}: {error}", file=sys.stderr)
            passed = False
        print(f"JAX {release.jax}: {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
        failed += [] if passed else [release.jax]
    return 1 if failed else 0


class NoInterpreter(Missing):
    """No available Python has wheels of a release."""


def find_interpreters(given: Sequence[str] | None) -> dict[Version, str]:
    """Interpreters by their version: those that were passed, or this one and those on PATH."""
    candidates = given or [sys.executable, *(f"python3.{minor}" for minor in range(10, 15))]
    found: dict[Version, str] = {}
    for candidate in candidates:
        path = shutil.which(candidate)
        if path is None:
            if given:
                raise Missing(f"`{candidate}` is not a Python interpreter")
            continue
        code = "import sys; print(*sys.version_info[:2])"
        asked = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        # A shim on PATH may represent a version that is not active.
        if asked.returncode == 0:
            major, minor = map(int, asked.stdout.split())
            found.setdefault((major, minor), path)
    return found


def select(asked: Sequence[str] | None, interpreters: dict[Version, str]) -> list[Release]:
    """The requested releases, or all of them."""
    if asked is None:
        return list(RELEASES)
    names = set(asked)
    if "oldest" in names:
        names.add(next((release.jax for release in RELEASES if fitting(release, interpreters)), RELEASES[0].jax))
    return [release for release in RELEASES if release.jax in names]


def fitting(release: Release, interpreters: dict[Version, str]) -> list[Version]:
    """The interpreters that have wheels of a release."""
    return [
        version
        for version in interpreters
        if version >= release.oldest and (release.newest is None or version <= release.newest)
    ]


def choose(release: Release, interpreters: dict[Version, str]) -> tuple[Version, str]:
    """The newest interpreter that has wheels of a release."""
    fits = fitting(release, interpreters)
    if not fits:
        upper = f" to {dotted(release.newest)}" if release.newest else " or newer"
        have = ", ".join(map(dotted, sorted(interpreters))) or "none"
        raise NoInterpreter(f"it needs Python {dotted(release.oldest)}{upper}, and there is {have}")
    return max(fits), interpreters[max(fits)]


def dotted(version: Version) -> str:
    """``3.12``."""
    return f"{version[0]}.{version[1]}"


def environment(release: Release, chosen: tuple[Version, str], folder: pathlib.Path) -> pathlib.Path:
    """The interpreter of the environment of a release, which is created if it is missing."""
    version, interpreter = chosen
    packages = release.requirements()
    place = folder / f"jax-{release.jax}-python-{dotted(version)}"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = place / "packages.txt"
    if marker.exists() and marker.read_text().split() == packages:
        return python
    checked([interpreter, "-m", "venv", "--clear", str(place)], "cannot make a virtual environment")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    checked([*install, *packages], "pip cannot install the packages of the tests (is there a network?)")
    # It is written last, so that an interrupted installation is repeated.
    marker.write_text("\n".join(packages))
    return python


def build(target: pathlib.Path) -> pathlib.Path:
    """Build the native half; returns the library."""
    cargo = os.environ.get("CARGO") or shutil.which("cargo")
    if cargo is None:
        raise Missing("`cargo` is not on PATH, and the native half of the package is written in Rust")
    command = [cargo, "build", "--quiet", "--package", "hlo2onnx-python", "--target-dir", str(target)]
    checked(command, "cargo cannot build the native half")
    for name in ("lib_native.so", "lib_native.dylib", "_native.dll"):
        if (target / "debug" / name).exists():
            return target / "debug" / name
    raise Missing(f"no library in `{target / 'debug'}`")


def run(python: pathlib.Path, library: pathlib.Path, arguments: Sequence[str]) -> bool:
    """Run the tests in an environment."""
    package = python.parents[1] / "package"
    shutil.rmtree(package, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__", "_native.abi3.*", "_native.pyd")
    shutil.copytree(ROOT / "python" / "hlo2onnx", package / "hlo2onnx", ignore=unwanted)
    suffix = "pyd" if library.suffix == ".dll" else "abi3.so"
    shutil.copyfile(library, package / "hlo2onnx" / f"_native.{suffix}")
    settings = {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", "JAX_PLATFORMS": "cpu"}
    names = ", ".join(f"'{name}'" for name in ("jax", "flax", "numpy", "onnxruntime"))
    shown = f"import sys, importlib.metadata as m; print(sys.version.split()[0], *((n, m.version(n)) for n in ({names})))"
    subprocess.run([python, "-c", shown], check=False)
    command = [str(python), "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *(arguments or ["python/tests"])]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=False).returncode == 0


def checked(command: Sequence[str], failure: str) -> None:
    """Run a command, and report its output if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Missing(f"{failure}: `{' '.join(command)}` returned {done.returncode}\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main())
