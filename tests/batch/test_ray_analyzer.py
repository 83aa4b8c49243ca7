"""A batch in actors of a Ray cluster writes what a batch on this machine writes."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dermoscope.analyzer import load_analyzer
from dermoscope.cli import main
from dermoscope.features.errors import CoresError
from dermoscope.features.ray_cluster import ADDRESS_VARIABLE
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


def test_the_mode_that_is_asked_for_answers_in_actors_too(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    photo, out = photos / EXAMPLES[0].name, tmp_path / "out"
    arguments = [
        "analyze",
        str(photo),
        "--out",
        str(out),
        "--engine",
        "ray",
        "--mode",
        "fast",
        "--precision",
        "float32",
    ]
    program = [sys.executable, "-m", "dermoscope", *arguments, "--quiet", "--no-pictures"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "results.jsonl").read_text())
    here = {}
    for mode in ("fast", "best"):
        analyzer = load_analyzer(mode=mode, precision="float32")
        found = analyzer.analyze(photo, image_id="a", path="a.jpg", frame=1, picture=False).analysis
        assert found.malignancy is not None
        here[mode] = found.malignancy.probability
    assert record["malignancy"]["probability"] == pytest.approx(here["fast"], abs=1e-4)
    assert record["malignancy"]["probability"] != pytest.approx(here["best"], abs=1e-3)


KILLED = """
import sys
from pathlib import Path
import ray
from dermoscope.batch.ray_analyzer import RayAnalyzer
from dermoscope.images import ImageError
photo, broken = map(Path, sys.argv[1:])
analyzer = RayAnalyzer("fast", jobs=1, precision="float32", max_pixels=10**7)
assert analyzer.mode == "fast"
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


LIMITS = """
import sys
import time
from pathlib import Path
from dermoscope.batch import ray_analyzer
from dermoscope.features import ray_cluster
from dermoscope.features.errors import StoreError
from dermoscope.images import ImageError
class Hanging(ray_analyzer._Analyst):
    def analyze(self, source, *rest):
        if source.suffix == ".jpeg":
            time.sleep(10**6)
        return super().analyze(source, *rest)
ray_analyzer._Analyst = Hanging
ray_cluster.connect(None, 1)
def start(jobs):
    return ray_analyzer.RayAnalyzer("fast", jobs=jobs, precision="float32", max_pixels=10**7)
def refused(jobs):
    try:
        start(jobs)
    except StoreError as error:
        print(error)
refused(2)
others = ray_cluster.reserve(1)
ray_cluster.RESERVE_SECONDS = 1
refused(1)
ray_cluster.release(others)
ray_cluster.RESERVE_SECONDS = 60
ray_analyzer.LOAD_SECONDS = 0.001
refused(1)
ray_analyzer.LOAD_SECONDS = 600
analyzer = start(1)
def analyze(path):
    return analyzer.analyze(path, image_id="a", path=path.name, frame=1, picture=False)
photo = Path(sys.argv[1])
for _ in range(2):
    ray_analyzer.IMAGE_SECONDS = 1
    try:
        analyze(photo.with_suffix(".jpeg"))
    except ImageError as error:
        print(error)
    ray_analyzer.IMAGE_SECONDS = 120
    print(analyze(photo).analysis.image_id)
analyzer.close()
"""


def test_nothing_is_waited_for_for_ever(photos: Path) -> None:
    """On a cluster with one core: two workers; one while it is busy; one that is slow to load; images that hang."""
    pytest.importorskip("ray")
    program = [sys.executable, "-c", LIMITS, str(photos / EXAMPLES[0].name)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "was killed" not in line]  # Ray tells of its actors
    too_many, busy, loading, *answers = lines
    assert too_many == "the Ray cluster has too few CPUs for 2 at once: 1 in all, as it was started here"
    assert "too few CPUs for 1 at once: 1 in all, 0 of them free after 1 seconds of waiting" in busy
    assert "not every worker has loaded the model within" in loading
    hung = f"{(photos / EXAMPLES[0].name).with_suffix('.jpeg').name} got no answer from its worker within 1 seconds"
    assert answers == [hung, "a"] * 2


def test_an_address_is_for_ray(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(photos), "--out", str(tmp_path / "x"), "--address", "auto"]) == 2
    assert "--engine ray" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("jobs", "origin"), [(["--jobs", "3"], "--jobs 3 asked for them"), ([], "taken where --jobs names no number")]
)
def test_who_is_refused_hears_where_the_number_came_from(
    jobs: list[str],
    origin: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise CoresError("too few CPUs")

    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    monkeypatch.setattr("dermoscope.batch.ray_analyzer.RayAnalyzer", refused)
    assert main(["analyze", str(photos), "--out", str(tmp_path / "x"), "--engine", "ray", *jobs]) == 1
    said = capsys.readouterr().err
    assert "too few CPUs; " in said
    assert origin in said
