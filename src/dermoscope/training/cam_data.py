"""Batches of crops for a network with class activation maps: read from disk, changed anew in every epoch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.training.augmentation import augment
from dermoscope.training.crop_images import CropCache
from dermoscope.training.recipes.augmentation import AugmentationPart

_HALF, _FULL = 127, 255.0
_AHEAD = 2
Result = TypeVar("Result")


@dataclass(frozen=True)
class CropBatch:
    """B crops.

    Attributes:
        samples: `[B]` number of each sample: of its image times the number of crops, plus that of its crop.
        images: `[B, 3, S, S]`, scaled as the network wants them.
        masks: `[B, h, w]`, share of lesion in each cell of the maps, 0 to 1.
    """

    samples: Tensor
    images: Tensor
    masks: Tensor


class CropData:
    """Crops of N images, C of each, read and changed on the processor's idle moments.

    Args:
        cache: The crops, those of the N images there when they are asked for.
        rows: Where the N images lie in it; all of it if left out.
        contract: How the network wants its images; its map size is the grid of the masks.
        augmentation: How crops are changed where an epoch is given.
        seed: Of the changes.
        threads: Crops changed at once.
    """

    def __init__(
        self,
        cache: CropCache,
        contract: InputContract,
        augmentation: AugmentationPart,
        *,
        rows: NDArray[np.intp] | None = None,
        seed: int,
        threads: int = 2,
    ) -> None:
        self.contract = contract
        self._rows = np.arange(len(cache.records)) if rows is None else rows
        self._cache, self._augmentation, self._seed = cache, augmentation, seed
        self._pool = ThreadPoolExecutor(threads)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._rows)

    def batches(self, crops: int, samples: Sequence[NDArray[np.intp]], epoch: int | None) -> Iterator[CropBatch]:
        """Batches in order, the next ones made while one is used.

        Args:
            crops: C.
            samples: `[B]` numbers of the samples of each batch; see `CropBatch`.
            epoch: Decides, with seed and sample, how a crop is changed; none leaves it as it is.
        """
        return _ahead(self._pool, (partial(self._batch, crops, chosen, epoch) for chosen in samples))

    def _batch(self, crops: int, samples: NDArray[np.intp], epoch: int | None) -> CropBatch:
        images, chosen = np.divmod(samples, crops)
        squares, masks = self._cache.rows(self._rows[images])
        rows = zip(squares, masks, chosen.tolist(), samples.tolist(), strict=True)
        made = [self._crop(square[crop], mask[crop], sample, epoch) for square, mask, crop, sample in rows]
        pixels, lesions = (np.stack(part) for part in zip(*made, strict=True))
        return CropBatch(torch.from_numpy(samples), torch.from_numpy(pixels), torch.from_numpy(lesions))

    def _crop(
        self, rgb: NDArray[np.uint8], shades: NDArray[np.uint8], sample: int, epoch: int | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mask = shades > _HALF
        if epoch is not None:
            random = np.random.default_rng([self._seed, epoch, sample])
            rgb, mask = augment(rgb, mask, self._augmentation, random)
        grid = (self.contract.map_size, self.contract.map_size)
        lesion = cv2.resize(np.where(mask, np.float32(1), np.float32(0)), grid, interpolation=cv2.INTER_AREA)
        return prepare(rgb, self.contract).image[0], np.asarray(lesion, np.float32)


def _ahead(pool: ThreadPoolExecutor, tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """Results in order, a few of them computed before they are asked for."""
    waiting = iter(tasks)
    running: deque[Future[Result]] = deque(pool.submit(task) for task in islice(waiting, _AHEAD))
    while running:
        result = running.popleft().result()
        running.extend(pool.submit(task) for task in islice(waiting, 1))
        yield result
