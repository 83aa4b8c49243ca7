"""What a case may be made of. Every check raises `ValueError` with the name of the argument and the way out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Status
from dermoscope.cases.table import EMBEDDING_SIZE

MAX_NOTE = 2000
"""Longest note, in characters."""


def check_label(label: str | None) -> None:
    """A diagnosis code, or none."""
    if label is not None and label not in taxonomy.CODE_NAMES:
        raise ValueError(f"label: unknown diagnosis code {label!r}; known codes: {', '.join(taxonomy.CODE_NAMES)}")


def check_note(note: str) -> None:
    """Text of bounded length."""
    if len(note) > MAX_NOTE:
        raise ValueError(f"note: has {len(note):,} characters; shorten it to {MAX_NOTE:,}")
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in note):
        raise ValueError("note: holds characters that are not text; remove them")


def check_image(image: NDArray[np.uint8]) -> None:
    """RGB `[H, W, 3]`."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image: needs uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")


def check_mask(mask: NDArray[np.bool_], height: int, width: int) -> None:
    """Bool `[height, width]`."""
    if mask.dtype != np.bool_ or mask.shape != (height, width):
        raise ValueError(f"mask: needs bool [{height}, {width}] as its image, not {mask.dtype} {list(mask.shape)}")


def check_analysis(analysis: Analysis, height: int, width: int) -> None:
    """Of an image of this size, finished, and with the fingerprint of its bundle."""
    if analysis.status is not Status.DONE:
        raise ValueError(f"analysis: is {analysis.status}; only an image that was analysed can be kept")
    if (analysis.height, analysis.width) != (height, width):
        raise ValueError(
            f"analysis: is of an image {analysis.width}x{analysis.height}, the image is {width}x{height}; "
            "give the pixels that were analysed"
        )
    if not analysis.bundle:
        raise ValueError("analysis: does not name its bundle; embeddings of unknown models cannot be compared")


def check_embedding(embedding: NDArray[np.float32]) -> None:
    """Float32 `[256]`, with a direction."""
    if embedding.dtype != np.float32 or embedding.shape != (EMBEDDING_SIZE,):
        raise ValueError(f"embedding: needs float32 [{EMBEDDING_SIZE}], not {embedding.dtype} {list(embedding.shape)}")
    if not np.isfinite(embedding).all() or not embedding.any():
        raise ValueError("embedding: needs finite numbers, not all zero")


def check_limit(limit: int) -> None:
    """At least one."""
    if limit < 1:
        raise ValueError(f"limit: needs 1 or more, not {limit}")
