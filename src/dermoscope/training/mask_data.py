"""Where a mask training takes its batches from: embeddings that are kept on disk, or images that are read each time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract
from dermoscope.training.embedding_cache import EmbeddingCache
from dermoscope.training.mask_images import mask_sample
from dermoscope.training.recipes.augmentation import AugmentationPart

_FULL = 255.0


class MaskData(Protocol):
    """Images with masks, in several copies."""

    side: int
    """Cells along one side of a mask."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def batch(self, indices: NDArray[np.intp], epoch: int) -> tuple[Tensor, Tensor]:
        """What the model takes `[B, ...]` float32, and true masks `[B, side, side]`, 0 to 1; of one copy an epoch."""
        ...


class CachedData:
    """Embeddings of a cache that is filled.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: EmbeddingCache) -> None:
        self.cache, self.side = cache, cache.side

    def __len__(self) -> int:
        """Number of images."""
        return len(self.cache.records)

    def batch(self, indices: NDArray[np.intp], epoch: int) -> tuple[Tensor, Tensor]:
        """See `MaskData`."""
        embeddings, masks = self.cache.rows(indices, epoch % self.cache.copies)
        return torch.from_numpy(embeddings).float(), torch.from_numpy(masks).float() / _FULL


class ImageData:
    """Images that are read and changed anew each time.

    Args:
        records: The images, each with a mask.
        contract: How the model wants its images.
        side: Cells along one side of a mask.
        augmentation: How copies are changed.
        copies: Copies of each image, the first as it is.
        seed: Of the changes.
        threads: Images read at once.
    """

    def __init__(
        self,
        records: Sequence[Record],
        contract: InputContract,
        side: int,
        augmentation: AugmentationPart,
        *,
        copies: int,
        seed: int,
        threads: int = 2,
    ) -> None:
        self.side, self._records, self._contract = side, records, contract
        self._augmentation, self._copies, self._seed = augmentation, copies, seed
        self._pool = ThreadPoolExecutor(threads)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._records)

    def batch(self, indices: NDArray[np.intp], epoch: int) -> tuple[Tensor, Tensor]:
        """See `MaskData`."""

        def one(index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            sample = mask_sample(
                self._records[index],
                self._contract,
                self.side,
                self._augmentation,
                seed=self._seed,
                copy=epoch % self._copies,
            )
            return sample.prepared.image[0], sample.target

        images, targets = zip(*self._pool.map(one, indices.tolist()), strict=True)
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets)).float() / _FULL
