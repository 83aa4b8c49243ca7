"""Embeddings of training images and their changed copies, with their masks, computed once and kept on disk.

The feature store keeps what the pixels of an image give, for everyone; here are changed copies that one training alone
wants, each with a mask that was changed with it, read in random order many times. So they lie in two plain arrays that
are mapped into memory, `embeddings.f16` and `masks.u8`, beside `done.u8`, which says what is finished: a build that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.manifest import Record
from dermoscope.data.transfer import size_text
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.engine import Graph, compile_graph
from dermoscope.training.mask_images import images_fingerprint, mask_sample
from dermoscope.training.recipes.augmentation import AugmentationPart

DESCRIPTION = "cache.json"
_SCHEMA = 1
_UPSCALING = 4  # a SAM decoder's mask has four cells where the embedding has one
_BLOCK = 64
_SPARE = 1.05  # the run beside it writes a little too

OnProgress = Callable[[int, int], None]
"""Called with the number of finished copies and of all."""


class CacheError(ValueError):
    """An embedding cache cannot be used; the message names the folder and the way out."""


class EmbeddingCache:
    """Embeddings `[copies, N, C, h, w]` in half precision and masks `[copies, N, 4h, 4w]` of N images.

    Args:
        folder: Where it lies, or is to lie.
        encoder: What makes the embeddings.
        records: The N images, each with a mask.
        augmentation: How copies are changed.
        copies: Copies of each image, the first as it is.
        seed: Of the changes.

    Raises:
        CacheError: If the folder holds a cache of other images, settings or another encoder, or the disk is too small.
        OutputError: If it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        encoder: EncoderFolder,
        records: Sequence[Record],
        augmentation: AugmentationPart,
        *,
        copies: int,
        seed: int,
    ) -> None:
        self.folder, self.records, self.copies = folder, records, copies
        self._encoder, self._augmentation, self._seed = encoder, augmentation, seed
        contract, channels = encoder.description.contract, encoder.description.channels
        self.side = _UPSCALING * contract.map_size
        self._shape = (copies, len(records), channels, contract.map_size, contract.map_size)
        self._masks_shape = (copies, len(records), self.side, self.side)
        self._open()

    @property
    def bytes(self) -> int:
        """Size of the whole cache on disk."""
        return 2 * int(np.prod(self._shape)) + int(np.prod(self._masks_shape)) + int(np.prod(self._shape[:2]))

    @property
    def missing(self) -> int:
        """Copies that are still to be computed."""
        return int((self._done == 0).sum())

    def fill(self, *, threads: int = 2, on_progress: OnProgress = lambda _done, _all: None) -> None:
        """Compute what is missing.

        Args:
            threads: Images at once.
            on_progress: Called now and then.

        Raises:
            ImageError: If an image or a mask cannot be read.
            ValueError: If image and mask differ in size.
            OutputError: If there is no room.
        """
        todo = np.argwhere(self._done == 0)
        total = self._done.size
        if not len(todo):
            return
        graph = compile_graph(self._encoder.graph, threads=threads, streams=threads)

        def one(place: NDArray[np.intp]) -> None:
            copy, index = int(place[0]), int(place[1])
            self._embeddings[copy, index], self._masks[copy, index] = self._computed(graph, copy, index)

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(todo), _BLOCK):
                block = todo[start : start + _BLOCK]
                list(pool.map(one, block))
                with writing_to(self.folder):
                    self._embeddings.flush()
                    self._masks.flush()
                    self._done[block[:, 0], block[:, 1]] = 1
                    self._done.flush()
                on_progress(total - len(todo) + start + len(block), total)

    def try_one(self, *, threads: int = 2) -> float:
        """Seconds that a copy takes where several are computed at once; nothing is kept."""
        graph = compile_graph(self._encoder.graph, threads=threads, streams=threads)
        self._computed(graph, 0, 0)
        tried = 4 * threads
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda index: self._computed(graph, 0, index % len(self.records)), range(tried)))
        return (time.perf_counter() - start) / tried

    def rows(self, indices: NDArray[np.intp], copy: int) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """Embeddings `[B, C, h, w]` and masks `[B, 4h, 4w]` of one copy of some images."""
        order = np.sort(indices)
        back = np.argsort(np.argsort(indices, kind="stable"), kind="stable")
        return self._embeddings[copy, order][back], self._masks[copy, order][back]

    def _computed(self, graph: Graph, copy: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        contract = self._encoder.description.contract
        sample = mask_sample(self.records[index], contract, self.side, self._augmentation, seed=self._seed, copy=copy)
        found = graph({"image": sample.prepared.image, "pool_weights": sample.prepared.pool_weights})
        return found["embedding"][0], sample.target

    def _open(self) -> None:
        description = self._description()
        path = self.folder / DESCRIPTION
        if path.exists() and path.read_text(encoding="utf-8") != description:
            raise CacheError(f"{self.folder} holds embeddings of other images or settings; remove it or name another")
        new = not path.exists()
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if new and free < _SPARE * self.bytes:
                raise CacheError(
                    f"{self.folder}: embeddings need {size_text(_SPARE * self.bytes)}, but only {size_text(free)} are "
                    "free; free some space, name another --cache, or ask for fewer copies (--set copies=1)"
                )
            mode: Literal["w+", "r+"] = "w+" if new else "r+"
            self._embeddings = np.memmap(self.folder / "embeddings.f16", np.float16, mode, shape=self._shape)
            self._masks = np.memmap(self.folder / "masks.u8", np.uint8, mode, shape=self._masks_shape)
            self._done = np.memmap(self.folder / "done.u8", np.uint8, mode, shape=self._shape[:2])
        if new:
            replace_file(path, description.encode())

    def _description(self) -> str:
        return json.dumps(
            {
                "schema": _SCHEMA,
                "encoder": self._encoder.description.fingerprint,
                "shape": self._shape,
                "images": images_fingerprint(self.records),
                "augmentation": self._augmentation.model_dump(mode="json") if self.copies > 1 else None,
                "seed": self._seed if self.copies > 1 else None,
            },
            indent=1,
        )
