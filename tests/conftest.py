"""What every test may use: the user's real images and weights, and one watched run of the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dermoscope
from tests.watch import REPOSITORY, Watched, run_watched

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several workers with a full set of threads each would be slower than one; read by torch and OpenCV on import.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def watched_analyze(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """One `dermoscope analyze` of two example images, watched."""
    images = sorted((REPOSITORY / "examples" / "images").glob("*_skin.jpg"))[:2]
    program = "import sys; from dermoscope.cli import main; sys.exit(main())"
    arguments = ["analyze", *map(str, images), "--out", "results"]
    return run_watched(["-c", program, *arguments], tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def fast_analyzer() -> dermoscope.Analyzer:
    """The mode of the shipped model that looks once."""
    return dermoscope.load("fast")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; skips where DERMOSCOPE_DATA is not set."""
    return _named_folder("DERMOSCOPE_DATA", "real images")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """The folder of pretrained weights; skips where DERMOSCOPE_WEIGHTS is not set."""
    return _named_folder("DERMOSCOPE_WEIGHTS", "pretrained weights")


def _named_folder(variable: str, content: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} does not point to {content}")
    return Path(os.environ[variable])
