"""The environments of the runtimes, under `target/runtimes`, each made once; changed requirements make it anew."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / "target" / "runtimes"
# Interpreters to try after the one that runs this.
OTHERS = ("python3.12", "python3.11")


class NotInstalled(Exception):
    """A runtime cannot be installed here."""


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A row of runtimes.toml."""

    name: str
    label: str
    target: str
    engine: str
    requirements: str = ""
    narrow: bool = False

    @property
    def version(self) -> str:
        """The pinned version."""
        if self.engine == "web":
            return json.loads((HERE / "web" / "package.json").read_text())["dependencies"]["onnxruntime-web"]
        if self.engine == "rten":
            manifest = tomllib.loads((HERE / "rten" / "Cargo.toml").read_text())
            return manifest["dependencies"]["rten"]["version"].lstrip("=")
        first = (HERE / "requirements" / self.requirements).read_text().split()[0]
        return first.split("==")[1]

    def install(self) -> list[str]:
        """Installs the runtime; returns the command of its worker."""
        if self.engine == "web":
            return install_web()
        if self.engine == "rten":
            return install_rten()
        return [str(install(self.name, self.requirements)), str(HERE / "worker.py"), self.engine]


def runtimes() -> dict[str, Runtime]:
    """All runtimes, by name."""
    table = tomllib.loads((HERE / "runtimes.toml").read_text())
    return {name: Runtime(name, **row) for name, row in table.items()}


def install(name: str, requirements: str) -> Path:
    """The interpreter of a virtual environment with these requirements, and nothing else."""
    folder = TARGET / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    file = HERE / "requirements" / requirements
    wanted, marker = file.read_text(), folder / "requirements.txt"
    if marker.exists() and marker.read_text() == wanted:
        return python
    # Old releases have no wheels for the newest interpreters.
    for interpreter in [sys.executable, *filter(None, map(shutil.which, OTHERS))]:
        try:
            checked([interpreter, "-m", "venv", "--clear", str(folder)])
            # The files list every package, so nothing else is installed, such as the tools that a runtime brings along.
            options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--no-deps"]
            checked([str(python), "-m", "pip", "install", *options, "--requirement", str(file)])
        except NotInstalled as error:
            failure = error
            continue
        # It is written last, so that an interrupted installation is repeated.
        marker.write_text(wanted)
        return python
    raise failure


def install_web() -> list[str]:
    """Installs onnxruntime-web; returns the command of its worker."""
    node, npm = find("node"), find("npm")
    folder = TARGET / "web"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "web" / "package-lock.json").read_text()
    marker = folder / "installed.json"
    if not marker.exists() or marker.read_text() != wanted:
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / "web" / file, folder / file)
        checked([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        marker.write_text(wanted)
    module = folder / "node_modules" / "onnxruntime-web" / "dist" / "ort.node.min.mjs"
    return [node, str(HERE / "web" / "worker.mjs"), str(module)]


def install_rten() -> list[str]:
    """Builds the worker of rten; returns its command."""
    manifest = HERE / "rten" / "Cargo.toml"
    target = TARGET / "rten"
    cargo = os.environ.get("CARGO") or find("cargo")
    command = [cargo, "build", "--quiet", "--release", "--locked", "--manifest-path", str(manifest)]
    checked([*command, "--target-dir", str(target)])
    return [str(target / "release" / f"rten-runner{'.exe' if os.name == 'nt' else ''}")]


def find(program: str) -> str:
    """The path of a program."""
    path = shutil.which(program)
    if path is None:
        raise NotInstalled(f"`{program}` is not on the PATH")
    return path


def checked(command: Sequence[str], folder: Path = ROOT) -> None:
    """Runs a command; its output is the reason if it fails."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"`{' '.join(command)}` returned {done.returncode}\n{done.stdout}")
