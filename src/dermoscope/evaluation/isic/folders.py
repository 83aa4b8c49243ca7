"""Mask folders in the official layout: `ISIC_0012086_segmentation.png` and the like, paired by image number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.isic.segmentation import MaskPair
from dermoscope.images import ImageError, decode, printable

_NUMBER = re.compile(r"ISIC_(\d{7})")
_NO_MASKS = frozenset({"ATTRIBUTION.txt", "LICENSE.txt"})


def read_mask_pairs(truth: Path, predicted: Path) -> Iterator[MaskPair]:
    """The masks of two folders, one pair after the other, in the order of the truth's file names.

    As in the official scorer, the true masks decide what is scored: a predicted file belongs to the image whose
    seven-digit number its name has, and predictions for other images are left aside.

    Args:
        truth: Folder of true masks.
        predicted: Folder of predicted masks at the original size.

    Raises:
        ImageError: If a file cannot be read, is in colour, or its partner is missing, ambiguous or of another size.
    """
    candidates: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(predicted.iterdir()):
        for number in set(re.findall(r"(?=(\d{7}))", path.stem)):
            candidates[number].append(path)
    for path in sorted(truth.iterdir()):
        if path.name in _NO_MASKS:
            continue
        found = _NUMBER.search(path.stem)
        if found is None:
            raise ImageError(printable(path), "has no image number such as ISIC_0012086 in its name")
        partners = candidates[found[1]]
        if len(partners) != 1:
            names = ", ".join(printable(partner.name) for partner in partners) or "none"
            raise ImageError(printable(path), f"needs one predicted mask in {printable(predicted)}, found {names}")
        pair = MaskPair(found[0], _read(partners[0]), _read(path))
        if pair.predicted.shape != pair.truth.shape:
            (height, width), (true_height, true_width) = pair.predicted.shape, pair.truth.shape
            raise ImageError(
                printable(partners[0]),
                f"is {width} × {height}, the true mask is {true_width} × {true_height}; save it at the original size",
            )
        yield pair


def _read(path: Path) -> NDArray[np.uint8]:
    rgb = decode(path, min_side=1).rgb
    if not (np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2])):
        raise ImageError(printable(path), "is in colour; a mask has one channel")
    return np.ascontiguousarray(rgb[..., 0])
