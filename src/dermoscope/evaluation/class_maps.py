"""What class activation maps look at: how they go with the lesion, where they peak, how large they get."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FLAT = 1e-12


@dataclass(frozen=True)
class MapMeasures:
    """Measures of N maps; NaN where one has no meaning.

    Attributes:
        correlation: `[N]` Pearson correlation over positions of map and mask, -1 to 1; NaN for a mask without both
            lesion and skin, 0 for a constant map.
        energy: `[N]` share of the map's positive part that lies on the lesion, 0 to 1; NaN for a map without one, and
            for a mask without lesion.
        pointing: `[N]` 1 where the map peaks on the lesion, else 0; NaN for a mask without lesion.
        smallest: `[N]`.
        largest: `[N]`.
        deviation: `[N]` standard deviation over positions.
    """

    correlation: NDArray[np.float64]
    energy: NDArray[np.float64]
    pointing: NDArray[np.float64]
    smallest: NDArray[np.float64]
    largest: NDArray[np.float64]
    deviation: NDArray[np.float64]


def map_measures(maps: NDArray[np.floating], masks: NDArray[np.floating]) -> MapMeasures:
    """Measure maps against masks.

    Args:
        maps: `[N, h, w]`, signed.
        masks: `[N, h, w]`, share of lesion in each cell, 0 to 1.

    Raises:
        ValueError: If the shapes differ or a map is not finite.

    References:
        Pointing: Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016 (arXiv 1608.00507), with the
        mask in the place of the box. Energy: Wang et al., Score-CAM, CVPR workshops 2020 (arXiv 1910.01279), likewise.
        Smallest, largest and deviation: the table of A. Cartaya and M. Rivas, University of Girona, 2023.
    """
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(f"maps and masks must both be [N, h, w], got {list(maps.shape)} and {list(masks.shape)}")
    if not np.isfinite(maps).all():
        raise ValueError("maps: a value is not finite")
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    lesion = masks.reshape(len(masks), -1).astype(np.float64)
    has_lesion = lesion.max(axis=1) > 0
    rows = np.arange(len(flat))
    positive = np.maximum(flat, 0)
    mass = positive.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        energy = np.where((mass > 0) & has_lesion, (positive * lesion).sum(axis=1) / mass, np.nan)
    # Half a cell of lesion or more: the peak lies on it. A lesion smaller than that has its fullest cell.
    on_lesion = lesion >= np.minimum(0.5, lesion.max(axis=1))[:, None]
    return MapMeasures(
        correlation=_correlations(flat, lesion),
        energy=energy,
        pointing=np.where(has_lesion, on_lesion[rows, flat.argmax(axis=1)], np.nan),
        smallest=flat.min(axis=1),
        largest=flat.max(axis=1),
        deviation=flat.std(axis=1),
    )


def _correlations(flat: NDArray[np.float64], lesion: NDArray[np.float64]) -> NDArray[np.float64]:
    maps, masks = (values - values.mean(axis=1, keepdims=True) for values in (flat, lesion))
    spread, extent = maps.std(axis=1), masks.std(axis=1)
    shared = (maps * masks).mean(axis=1)
    found = np.where(spread > _FLAT, shared / np.maximum(spread * extent, _FLAT), 0.0)
    return np.where(extent > _FLAT, found, np.nan)
