"""A batch in actors of a Ray cluster writes what a batch on this machine writes."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dermoscope.cli import main
from tests.watch import REPOSITORY

EXAMPLES = sorted((REPOSITORY / "examples" / "images").glob("*_skin.jpg"))[:2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in EXAMPLES:
        shutil.copy(path, folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return folder


def test_both_engines_write_the_same(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    tables = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        arguments = ["analyze", str(photos), "--out", str(out), "--engine", engine, "--precision", "float32"]
        # In a process of its own, as Ray leaves processes behind that are cleared away when it ends.
        program = [sys.executable, "-m", "dermoscope", *arguments, "--jobs", "2", "--quiet"]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        with (out / "results.csv").open(newline="") as stream:
            tables[engine] = list(csv.DictReader(stream))
    assert [row["status"] for row in tables["ray"]] == [row["status"] for row in tables["local"]]
    assert {row["status"] for row in tables["ray"]} == {"done", "failed"}
    for here, there in zip(tables["local"], tables["ray"], strict=True):
        assert here.keys() == there.keys()
        for name, value in here.items():
            if name.startswith("p_") and value:
                assert float(there[name]) == pytest.approx(float(value), abs=1e-4)
            elif name in ("image_id", "reason", "group", "diagnosis", "abstain_reason", "mask", "bundle"):
                assert there[name] == value
    for path in (tmp_path / "local" / "masks").iterdir():
        assert (tmp_path / "ray" / "masks" / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in (tmp_path / "ray" / "pictures").iterdir()) == sorted(
        f"{path.stem}.png" for path in EXAMPLES
    )


KILLED = """
import sys
from pathlib import Path
import ray
from dermoscope.batch.ray_analyzer import RayAnalyzer
from dermoscope.images import ImageError
photo, broken = map(Path, sys.argv[1:])
analyzer = RayAnalyzer(jobs=1, precision="float32", max_pixels=10**7)
def diagnosis(path):
    return analyzer.analyze(path, image_id="a", path="a.jpg", frame=1, picture=False).analysis.diagnosis
before = diagnosis(photo)
ray.kill(analyzer._actors[0], no_restart=False)
assert diagnosis(photo) == before
try:
    diagnosis(broken)
except ImageError as error:
    print("refused", error)
analyzer.close()
"""


def test_an_actor_that_dies_is_started_again(photos: Path) -> None:
    pytest.importorskip("ray")
    program = [sys.executable, "-c", KILLED, str(photos / EXAMPLES[0].name), str(photos / "broken.jpg")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in done.stdout


def test_an_address_is_for_ray(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(photos), "--out", str(tmp_path / "x"), "--address", "auto"]) == 2
    assert "--engine ray" in capsys.readouterr().err
