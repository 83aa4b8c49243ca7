"""The Ray engine on a cluster of two workers on this machine, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features import ray_cluster
from dermoscope.features.encoder import arithmetic, compile_encoder
from dermoscope.features.errors import StoreError
from dermoscope.features.extraction import Embedded, Failed, Outcome, WorkItem, encode_views
from dermoscope.features.ray_cluster import ADDRESS_VARIABLE, free_cores, release, reserve
from dermoscope.features.ray_engine import RayEngine
from tests.features.tiny_encoder import decoded_or_fail, tiny_encoder

COLUMNS = ("mean", "std", "spatial")
IMAGES = 24

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),  # Ray's own
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes with one core each, beside a head without."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[WorkItem]:
    """Images that take some time to decode, and one that cannot be."""
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for number in range(IMAGES):
        path = folder / f"{number}.jpg"
        pixels = np.random.default_rng(number).integers(0, 256, (900, 900, 3), np.uint8)
        Image.fromarray(pixels).save(path, quality=50)
        found.append(WorkItem(number, path, ("original", "rot90")))
    found[5].path.write_bytes(b"no image")
    return found


def pid_of_a_worker(cluster: Any) -> int:
    """An actor of this cluster that holds the encoder."""
    parents = {node.all_processes["raylet"][0].process.pid for node in cluster.worker_nodes}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        if command.startswith(b"ray::MapWorker") and parent in parents:
            return int(folder.name)
    pytest.fail("no actor is running")


def check(outcomes: list[Outcome], items: list[WorkItem], encoder: EncoderFolder) -> None:
    """Every image once, with the bits of one image computed here."""
    assert sorted(outcome.item.index for outcome in outcomes) == list(range(IMAGES))
    graph = compile_encoder(encoder)
    for outcome in outcomes:
        if outcome.item.index == 5:
            assert isinstance(outcome, Failed)
            assert "5.jpg" in outcome.line
            continue
        expected: Any = encode_views(decoded_or_fail(items[outcome.item.index]), graph, COLUMNS)
        assert isinstance(outcome, Embedded)
        assert (outcome.file_sha256, outcome.pixels_sha256) == (expected.file_sha256, expected.pixels_sha256)
        assert all(np.array_equal(outcome.columns[name], expected.columns[name]) for name in COLUMNS)


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(
    cluster: Any, items: list[WorkItem], tmp_path: Path
) -> None:
    encoder = tiny_encoder(tmp_path)
    engine = RayEngine(encoder, jobs=2, address=cluster.address)
    assert engine.arithmetic == arithmetic(None, "auto")
    outcomes = []
    killed = 0
    for outcome in engine.run(items, COLUMNS):
        outcomes.append(outcome)
        if not killed:
            killed = pid_of_a_worker(cluster)
            os.kill(killed, signal.SIGKILL)
    assert killed
    check(outcomes, items, encoder)


def test_nothing_to_do(cluster: Any, tmp_path: Path) -> None:
    assert list(RayEngine(tiny_encoder(tmp_path), jobs=2, address=cluster.address).run([], COLUMNS)) == []


def test_more_jobs_than_the_cluster_has_cores(cluster: Any, items: list[WorkItem], tmp_path: Path) -> None:
    engine = RayEngine(tiny_encoder(tmp_path), jobs=3, address=cluster.address)
    with pytest.raises(
        StoreError, match="--jobs: 3 asked for, each with a CPU of its own; the Ray cluster has 2 in all"
    ):
        list(engine.run(items, COLUMNS))


def test_busy_cores_are_not_waited_for_for_ever(
    cluster: Any, items: list[WorkItem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = RayEngine(tiny_encoder(tmp_path), jobs=2, address=cluster.address)
    others = reserve(1)
    monkeypatch.setattr(ray_cluster, "RESERVE_SECONDS", 1)
    with pytest.raises(StoreError, match=r"--jobs: 2 asked for, .* of the 2 in the Ray cluster, 1 are free"):
        list(engine.run(items, COLUMNS))
    release(others)


def test_free_cores_are_those_of_the_cluster(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def become_free(address: str | None, cores: int) -> bool:
        """Nodes tell only now and then what they have."""
        deadline = time.monotonic() + 30
        while free_cores(address) != cores and time.monotonic() < deadline:
            time.sleep(0.1)
        return free_cores(address) == cores

    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    assert free_cores(None) is None
    assert become_free(cluster.address, 2)
    monkeypatch.setenv(ADDRESS_VARIABLE, cluster.address)
    others = reserve(2)
    assert become_free(None, 1)
    release(others)


def test_no_cluster_at_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def refused(**_: object) -> None:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refused)
    with pytest.raises(StoreError, match=r"--address: no Ray cluster answers at 10\.0\.0\.1:1: nobody there"):
        RayEngine(tiny_encoder(tmp_path), address="10.0.0.1:1")
