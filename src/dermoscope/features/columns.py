"""What is stored of one image in one view: summaries of the encoder's maps, and the embedding itself.

| column | values | what |
| --- | --- | --- |
| mean | C | mean of the embedding over the cells that show image: the 256-d feature of the SAM family |
| std | C | standard deviation of the embedding over the same cells |
| max | C | largest value over the same cells |
| levels | S | mean and standard deviation of every map of the encoder, the finest first |
| spatial | C × h × w | the embedding in half precision, to train mask decoders on |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS: tuple[str, ...] = ("mean", "std", "max", "levels")
"""What `dermoscope embed --columns` may name."""

SPATIAL = "spatial"

Shapes = Mapping[str, tuple[int, ...]]


def summaries(
    encoded: Mapping[str, NDArray[Any]], pool_weights: NDArray[np.float32], columns: Iterable[str]
) -> dict[str, NDArray[Any]]:
    """Some columns of one image.

    Args:
        encoded: Outputs of the encoder's graph for one image: `embedding` `[1, C, h, w]`, `feature` `[1, C]` and
            `statistics` `[1, S]`.
        pool_weights: `[1, 1, h, w]`, the share of each cell in the mean over the image; sums to one.
        columns: Names among `COLUMNS` and `spatial`.

    Returns:
        float32 vectors by column; `spatial` is float16 `[C, h, w]`.
    """
    return {name: _column(name, encoded, pool_weights) for name in columns}


def column_type(name: str) -> type[np.float16] | type[np.float32]:
    """How the values of a column are stored."""
    return np.float16 if name == SPATIAL else np.float32


def row_bytes(shape: tuple[int, ...], name: str) -> int:
    """Size on disk of one row of a column; its key takes some 200 bytes beside the values."""
    return int(np.prod(shape)) * np.dtype(column_type(name)).itemsize + 200


def _column(name: str, encoded: Mapping[str, NDArray[Any]], pool_weights: NDArray[np.float32]) -> NDArray[Any]:
    if name == "mean":
        return np.asarray(encoded["feature"][0], np.float32)
    if name == "levels":
        return np.asarray(encoded["statistics"][0], np.float32)
    embedding = np.asarray(encoded["embedding"][0], np.float32)
    if name == SPATIAL:
        largest = np.finfo(np.float16).max
        return np.clip(embedding, -largest, largest).astype(np.float16)
    weights = pool_weights[0].reshape(1, -1)
    cells = embedding.reshape(len(embedding), -1)
    if name == "max":
        return np.asarray(cells[:, weights[0] > 0].max(axis=1), np.float32)
    mean = (cells * weights).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(((cells - mean) ** 2 * weights).sum(axis=1)), np.float32)
