"""Embeddings of training images and their changed copies, with their masks, computed once and kept on disk.

The feature store keeps what the pixels of an image give, for everyone; here are changed copies that one training alone
wants, each with a mask that was changed with it, read in random order many times. So they lie in two plain arrays that
are mapped into memory, `embeddings.f16` and `masks.u8`, beside `done.u8`, which says what is finished: a build that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.engine import Graph, compile_graph
from dermoscope.training.kept_arrays import Compute, KeptArrays, OnProgress, seconds_an_entry
from dermoscope.training.mask_images import images_fingerprint, mask_sample
from dermoscope.training.recipes.augmentation import AugmentationPart

_SCHEMA = 1
_UPSCALING = 4  # a SAM decoder's mask has four cells where the embedding has one


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
        self.records, self.copies = records, copies
        self._encoder, self._augmentation, self._seed = encoder, augmentation, seed
        contract, channels = encoder.description.contract, encoder.description.channels
        cells = contract.map_size
        self.side = _UPSCALING * cells
        description = {
            "schema": _SCHEMA,
            "encoder": encoder.description.fingerprint,
            "shape": (copies, len(records), channels, cells, cells),
            "images": images_fingerprint(records),
            "augmentation": augmentation.model_dump(mode="json") if copies > 1 else None,
            "seed": seed if copies > 1 else None,
        }
        arrays = {"embeddings.f16": (np.float16, (channels, cells, cells)), "masks.u8": (np.uint8, (self.side,) * 2)}
        self._kept = KeptArrays(folder, description, (copies, len(records)), arrays)

    @property
    def bytes(self) -> int:
        """Size of the whole cache on disk."""
        return self._kept.bytes

    @property
    def missing(self) -> int:
        """Copies that are still to be computed."""
        return self._kept.missing

    def fill(self, *, threads: int = 2, on_progress: OnProgress = lambda _done, _all: None) -> None:
        """Compute what is missing.

        Args:
            threads: Images at once.
            on_progress: Called now and then with the number of finished copies and of all.

        Raises:
            ImageError: If an image or a mask cannot be read.
            ValueError: If image and mask differ in size.
            OutputError: If there is no room.
        """
        if self.missing:
            self._kept.fill(self._compute(threads), threads=threads, on_progress=on_progress)

    def try_one(self, *, threads: int = 2) -> float:
        """Seconds that a copy takes where several are computed at once; nothing is kept."""
        entries = [(0, index % len(self.records)) for index in range(4 * threads)]
        return seconds_an_entry(self._compute(threads), entries, threads)

    def rows(self, indices: NDArray[np.intp], copy: int) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """Embeddings `[B, C, h, w]` and masks `[B, 4h, 4w]` of one copy of some images."""
        embeddings, masks = self._kept.rows(indices, (copy,))
        return embeddings, masks

    def _compute(self, threads: int) -> Compute:
        graph: Graph = compile_graph(self._encoder.graph, threads=threads, streams=threads)
        contract = self._encoder.description.contract

        def compute(place: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            copy, index = place
            sample = mask_sample(
                self.records[index], contract, self.side, self._augmentation, seed=self._seed, copy=copy
            )
            found = graph({"image": sample.prepared.image, "pool_weights": sample.prepared.pool_weights})
            return found["embedding"][0], sample.target

        return compute
