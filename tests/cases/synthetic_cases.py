"""Cases that nobody has: noise for pixels, a square for a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis

SIDE = 48


def image(seed: int = 0, side: int = SIDE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def square(start: int = 8, side: int = SIDE) -> NDArray[np.bool_]:
    mask = np.zeros((side, side), np.bool_)
    mask[start : side // 2, start : side // 2] = True
    return mask


def embedding(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(256).astype(np.float32)


def analysis(diagnosis: str = "NV", *, bundle: str = "bundle-a", side: int = SIDE) -> Analysis:
    group = {"NV": "melanocytic", "MEL": "melanocytic", "BCC": "non-melanocytic carcinoma"}[diagnosis]
    return Analysis(
        image_id="Anna_Muster_1970",
        path="/home/doctor/Anna_Muster_1970.jpg",
        width=side,
        height=side,
        diagnosis={diagnosis: 0.9, "VASC": 0.1},
        group={group: 0.9, "vascular": 0.1},
        bundle=bundle,
    )
