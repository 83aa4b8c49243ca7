"""Which images, in which view, take part in training: drawn from the labels alone. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.training.recipes.schema import BalancedPart, NaturalPart, WeightedPart


@dataclass(frozen=True)
class Drawn:
    """Samples: each is one image in one view.

    Attributes:
        images: `[M]` number of the image.
        views: `[M]` number of the view.
    """

    images: NDArray[np.intp]
    views: NDArray[np.intp]


def draw(part: BalancedPart | NaturalPart | WeightedPart, labels: NDArray[np.integer], seed: int) -> Drawn:
    """The samples of a split, in the order of images, an image's views side by side.

    Args:
        part: How to draw.
        labels: `[N]` class of each image.
        seed: Of a balanced draw.
    """
    images = np.repeat(np.arange(len(labels)), len(part.views))
    views = np.tile(np.arange(len(part.views)), len(labels))
    if not isinstance(part, BalancedPart):
        return Drawn(images, views)
    random = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels[images] == label) for label in np.unique(labels)]
    chosen = np.sort(np.concatenate([random.permutation(rows)[: part.per_class] for rows in of_class]))
    return Drawn(images[chosen], views[chosen])


def draw_probability(labels: NDArray[np.integer], balance: float) -> NDArray[np.float64]:
    """How often each sample `[M]` is drawn, relative to the others: `n_y^-balance`; sums to one.

    Args:
        labels: `[M]` class of each sample.
        balance: 0 draws as frequently as the classes are, 1 draws every class alike.
    """
    frequency = np.bincount(labels)[labels] ** -float(balance)
    return np.asarray(frequency / frequency.sum(), np.float64)
