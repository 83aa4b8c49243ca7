"""A real server for the page: `dermoscope serve` with the default model and a history of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.watch import REPOSITORY

STOP_SECONDS = 40
"""A little more than the server gives itself for what is in work."""


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Starts a server that keeps its history below a folder.

    Yields:
        Its address, without a slash at the end.
    """
    program = "import sys; from dermoscope.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--quiet", "--cases", str(folder / "cases")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment)
        try:
            assert server.stdout is not None
            greeting = server.stdout.readline()
            found = re.search(r"http://[^/\s]+", greeting)
            assert found, f"the server did not start: {greeting}{(folder / 'server.log').read_text()}"
            yield found[0]
        finally:
            server.terminate()
            try:
                server.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.communicate()
