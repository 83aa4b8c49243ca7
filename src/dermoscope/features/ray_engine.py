"""The Ray engine: the same two functions, in actors of Ray Data on one machine or many.

Every actor decodes and encodes on one core. A worker that dies is replaced and its images are computed again; rows come
back to this process, which alone writes to the store. Paths must mean the same files on every worker.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dermoscope.encoders.folder import EncoderFolder
from dermoscope.engine import EngineName, Precision
from dermoscope.features.columns import column_type
from dermoscope.features.encoder import arithmetic, column_shapes, compile_encoder
from dermoscope.features.errors import StoreError
from dermoscope.features.extraction import Embedded, Failed, Outcome, WorkItem, decode_views, encode_views
from dermoscope.features.ray_cluster import connect, release, reserve

LOAD_SECONDS = 600
"""How long actors may take to get their cores and to load the encoder."""

_ITEMS_A_BATCH = 8


class RayEngine:
    """Runs an encoder on a Ray cluster; is an `ExtractionEngine`.

    Args:
        encoder: The encoder; its folder must be visible to every worker under the same path.
        jobs: Actors, one core each; the cluster must have as many, or grow.
        address: Of a running cluster, such as `auto` or `ray://head:10001`; none starts one on this machine.
        engine: Inference engine; by default the fastest installed.
        precision: `auto` computes in bfloat16 where the processor has it; all workers must agree.

    Raises:
        StoreError: If Ray is missing or the cluster cannot be reached.
    """

    def __init__(
        self,
        encoder: EncoderFolder,
        *,
        jobs: int = 1,
        address: str | None = None,
        engine: EngineName | None = None,
        precision: Precision = "auto",
    ) -> None:
        self._encoder = encoder
        self._jobs = jobs
        self._engine = engine
        self._precision = precision
        self._arithmetic = arithmetic(engine, precision)
        self._shapes = column_shapes(encoder.description)
        connect(address, jobs)

    @property
    def arithmetic(self) -> str:
        """What it computes with."""
        return self._arithmetic

    def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
        """Embed images; see `ExtractionEngine.run`. Takes all items at once: their paths, not their pixels.

        Raises:
            CoresError: If the cluster has fewer cores than there are jobs and does not grow, or they stay busy.
            StoreError: If the actors do not come up; those of Ray Data then wait on until this process ends.
        """
        import ray.data

        wanted = {item.index: item for item in items}
        if not wanted:
            return
        rows = [
            {"index": item.index, "path": str(item.path), "views": " ".join(item.views)} for item in wanted.values()
        ]
        batches = -(-len(rows) // _ITEMS_A_BATCH)
        actors = min(self._jobs, batches)
        # Ray Data is about to lose its way of taking reserved ones; until it has its own, somebody else may be quicker.
        release(reserve(actors))
        ray.data.DataContext.get_current().wait_for_min_actors_s = LOAD_SECONDS
        dataset = ray.data.from_items(rows, override_num_blocks=batches).map_batches(
            _Extractor,
            fn_constructor_args=(self._encoder, self._engine, self._precision, self._arithmetic, columns),
            batch_size=_ITEMS_A_BATCH,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=1,
        )
        try:
            for row in dataset.iter_rows():
                item = wanted.pop(int(row["index"]), None)
                if item is not None:
                    yield self._outcome(row, item, columns)
        except ray.exceptions.GetTimeoutError:
            raise StoreError(f"not every worker has a CPU and the encoder within {LOAD_SECONDS} seconds") from None

    def _outcome(self, row: dict[str, Any], item: WorkItem, columns: tuple[str, ...]) -> Outcome:
        if row["reason"]:
            return Failed(item, row["reason"])
        values = {
            name: np.frombuffer(row[name], column_type(name)).reshape(len(item.views), *self._shapes[name])
            for name in columns
        }
        return Embedded(item, row["file"], row["pixels"], values)


class _Extractor:
    """An actor: holds the encoder, and turns batches of paths into batches of rows."""

    def __init__(
        self,
        encoder: EncoderFolder,
        engine: EngineName | None,
        precision: Precision,
        expected: str,
        columns: tuple[str, ...],
    ) -> None:
        found = arithmetic(engine, precision)
        if found != expected:
            raise StoreError(f"a worker computes with {found}, the others with {expected}; use --precision float32")
        self._contract = encoder.description.contract
        self._graph = compile_encoder(encoder, engine=engine, precision=precision)
        self._columns = columns

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [
            self._row(WorkItem(int(index), Path(path), tuple(views.split())))
            for index, path, views in zip(batch["index"], batch["path"], batch["views"], strict=True)
        ]
        return {name: np.array([row[name] for row in rows], object) for name in rows[0]}

    def _row(self, item: WorkItem) -> dict[str, Any]:
        outcome: Any = decode_views(item, self._contract)
        if not isinstance(outcome, Failed):
            outcome = encode_views(outcome, self._graph, self._columns)
        if isinstance(outcome, Failed):
            empty = dict.fromkeys(self._columns, b"")
            return {"index": item.index, "reason": outcome.reason, "file": "", "pixels": "", **empty}
        values = {name: outcome.columns[name].tobytes() for name in self._columns}
        hashes = {"file": outcome.file_sha256, "pixels": outcome.pixels_sha256}
        return {"index": item.index, "reason": "", **hashes, **values}
