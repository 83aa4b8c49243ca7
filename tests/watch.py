"""Runs the program as a user would and writes down what it imports and whom it talks to."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
TORCH_WORLD = frozenset({"torch", "torchvision", "timm", "transformers", "accelerate"})

# Python runs a module of this name at every start, so it also sees what child processes do.
WATCH = """
import os, sys

def watch(event, arguments, write=os.write, log=os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND)):
    if event == "import":
        write(log, f"import {arguments[0]}\\n".encode())
    elif event == "socket.getaddrinfo":
        write(log, f"{event} {arguments[0]}\\n".encode())
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):  # not a local pipe
        write(log, f"{event} {arguments[1]}\\n".encode())

sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Watched:
    """What one watched command did."""

    returncode: int
    output: str
    imported: frozenset[str]
    network: tuple[str, ...]
    home: Path
    results: Path


def run_watched(command: list[str], folder: Path) -> Watched:
    """Run Python with arguments in an empty home folder and write down every import and every use of the network."""
    home, site, log = folder / "home", folder / "site", folder / "log"
    for path in (home, site):
        path.mkdir()
    log.touch()
    (site / "sitecustomize.py").write_text(WATCH)
    # Some libraries keep quiet in continuous integration; here they are to behave as they do for a user.
    environment = {
        name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("DERMOSCOPE")
    }
    environment |= {"HOME": str(home), "WATCH_LOG": str(log)}
    environment["PYTHONPATH"] = os.pathsep.join([str(site), str(REPOSITORY / "src")])
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = log.read_text().splitlines()
    return Watched(
        returncode=done.returncode,
        output=done.stdout + done.stderr,
        imported=frozenset(line.split()[1] for line in lines if line.startswith("import ")),
        network=tuple(line for line in lines if line.startswith("socket")),
        home=home,
        results=folder / "results",
    )
