"""The Ray engine on a cluster of two workers on this machine, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features import ray_cluster, ray_engine
from dermoscope.features.encoder import arithmetic, compile_encoder
from dermoscope.features.errors import CoresError, StoreError
from dermoscope.features.extraction import Embedded, Failed, Outcome, WorkItem, encode_views
from dermoscope.features.ray_cluster import ADDRESS_VARIABLE, connect, free_cores, release, reserve
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


def test_more_jobs_than_the_cluster_has_cores(
    cluster: Any,
    items: list[WorkItem],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = RayEngine(tiny_encoder(tmp_path), jobs=3, address=cluster.address)
    monkeypatch.setattr(ray_cluster, "GROW_SECONDS", 1)
    with pytest.raises(CoresError, match=r"too few CPUs for 3 at once: 2 in all, \d of them free after 1 seconds"):
        list(engine.run(items, COLUMNS))
    assert "2 in all; it may grow, which is waited for up to 1 seconds" in caplog.text


def test_a_cluster_that_grows_is_waited_for(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import ray

    monkeypatch.setattr(ray_cluster, "GROW_SECONDS", 60)
    connect(cluster.address, 2)

    def has(cores: int) -> bool:
        return int(ray.cluster_resources()["CPU"]) == cores  # type: ignore[no-untyped-call]

    (first, *_) = cluster.worker_nodes
    cluster.remove_node(first)
    until(lambda: has(1))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(reserve, 2)
        until(lambda: "it may grow" in caplog.text)
        assert not asked.done()
        cluster.add_node(num_cpus=1)
        release(asked.result(timeout=60))


def test_busy_cores_are_not_waited_for_for_ever(
    cluster: Any, items: list[WorkItem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = RayEngine(tiny_encoder(tmp_path), jobs=2, address=cluster.address)
    others = reserve(1)
    monkeypatch.setattr(ray_cluster, "RESERVE_SECONDS", 1)
    with pytest.raises(CoresError, match=r"too few CPUs for 2 at once: 2 in all, \d of them free after 1 seconds"):
        list(engine.run(items, COLUMNS))
    release(others)


def until(happened: Callable[[], bool]) -> None:
    """Nodes tell only now and then what they have."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_free_cores_are_those_of_the_cluster(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    assert free_cores(None) is None
    until(lambda: free_cores(cluster.address) == 2)
    monkeypatch.setenv(ADDRESS_VARIABLE, cluster.address)
    others = reserve(2)
    until(lambda: free_cores(None) == 1)
    release(others)


def test_cores_that_somebody_else_was_quicker_to_take_are_not_waited_for_for_ever(
    cluster: Any, items: list[WorkItem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last on this cluster: its actors take their cores when they are free, as long as this process runs."""
    engine = RayEngine(tiny_encoder(tmp_path), jobs=2, address=cluster.address)
    taken: list[Any] = []
    monkeypatch.setattr(ray_engine, "release", taken.append)
    monkeypatch.setattr(ray_engine, "LOAD_SECONDS", 1)
    with pytest.raises(StoreError, match="not every worker has a CPU and the encoder within 1 seconds"):
        list(engine.run(items, COLUMNS))
    release(taken[0])


def test_no_cluster_at_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def refused(**_: object) -> None:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refused)
    with pytest.raises(StoreError, match=r"--address: no Ray cluster answers at 10\.0\.0\.1:1: nobody there"):
        RayEngine(tiny_encoder(tmp_path), address="10.0.0.1:1")
