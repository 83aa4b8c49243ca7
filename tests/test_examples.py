"""The examples run, and their pictures are small, synthetic and reproducible."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import dermoscope
from dermoscope.analysis import Analysis, Gate, Malignancy
from tests.watch import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
IMAGES = sorted((EXAMPLES / "images").iterdir())


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("redrawn")
    run("make_phantoms.py", str(folder))
    return folder


def test_images_are_small_and_say_that_they_are_synthetic() -> None:
    assert len(IMAGES) >= 8
    assert all("synthetic" in path.name for path in IMAGES)
    assert sum(path.stat().st_size for path in IMAGES) < 400_000


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_the_script_draws_the_committed_image(path: Path, redrawn: Path) -> None:
    with Image.open(path) as committed, Image.open(redrawn / path.name) as drawn:
        before, after = (np.asarray(image.convert("RGB"), np.float32) for image in (committed, drawn))
    # Encoders differ a little between library versions; another seed differs by far more.
    assert np.abs(before - after).mean() < 1.0


def test_every_image_carries_its_label() -> None:
    for path in IMAGES:
        with Image.open(path) as image:
            corner = np.asarray(image.convert("L"))[-16:-4, -90:-4]
        assert corner.min() < 60, path.name
        assert corner.max() > 220, path.name


def test_analyze_folder_prints_a_line_for_each_image() -> None:
    lines = run("analyze_folder.py").splitlines()
    assert sorted(line.split(":")[0] for line in lines) == sorted(path.stem for path in IMAGES)


def withheld(*, flagged: bool) -> Analysis:
    """An image of skin without an answer."""
    return Analysis(
        image_id="one",
        gate=Gate(is_skin=True, p_skin=0.9, threshold=0.5),
        group={"vascular": 1.0},
        malignancy=Malignancy(probability=0.9, definition="graz", threshold=0.1, operating_point="", flagged=flagged),
        abstained=True,
        abstain_reason="no diagnosis is probable enough",
    )


@pytest.mark.parametrize(("flagged", "end"), [(True, "; flagged all the same: have it looked at"), (False, "")])
def test_analyze_folder_prints_no_withheld_answer(
    flagged: bool, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.png").touch()
    outcome = SimpleNamespace(analysis=withheld(flagged=flagged))
    monkeypatch.setattr(dermoscope, "load", lambda: SimpleNamespace(analyze=lambda *_, **__: outcome))
    runpy.run_path(str(EXAMPLES / "analyze_folder.py"))["main"](tmp_path)
    assert capsys.readouterr().out == f"one: no answer, no diagnosis is probable enough{end}\n"


def test_analyze_folder_fits_on_a_screen() -> None:
    assert len((EXAMPLES / "analyze_folder.py").read_text(encoding="utf-8").splitlines()) < 40
