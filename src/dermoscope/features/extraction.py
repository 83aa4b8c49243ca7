"""From one image file to what is stored of it: the same two functions in every engine, so the same bits.

One image goes through the encoder at a time. Measured with OpenVINO, larger batches change no bit of the result and
cost up to half as much processor time again, because a batch no longer fits the cache; several images at once come
from several streams instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermoscope.encoders.inputs import EncoderInput, InputContract, prepare
from dermoscope.engine import Graph
from dermoscope.features.columns import summaries
from dermoscope.images import ImageError, decode, printable, read_image_file
from dermoscope.images.symmetries import apply

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One image that is not stored as it should be.

    Attributes:
        index: Its row in the manifest, from 0.
        path: The file.
        views: What is missing of it.
    """

    index: int
    path: Path
    views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image on its way to the encoder.

    Attributes:
        item: Where it came from.
        file_sha256: Of the file's bytes.
        pixels_sha256: Of the decoded pixels, see `pixels_sha256`.
        inputs: One for each view.
    """

    item: WorkItem
    file_sha256: str
    pixels_sha256: str
    inputs: tuple[EncoderInput, ...]


@dataclass(frozen=True, slots=True)
class Embedded:
    """What is stored of one image.

    Attributes:
        item: Where it came from.
        file_sha256: Of the file's bytes.
        pixels_sha256: Of the decoded pixels.
        columns: `[V, …]` by name of the column, one entry for each view of the item.
    """

    item: WorkItem
    file_sha256: str
    pixels_sha256: str
    columns: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that cannot be embedded, and why, in a few words without its name."""

    item: WorkItem
    reason: str

    @property
    def line(self) -> str:
        """One line for a person."""
        return f"{printable(self.item.path)} {self.reason}"


Outcome = Embedded | Failed


def pixels_sha256(rgb: NDArray[np.uint8]) -> str:
    """Hexadecimal SHA-256 of the size and the pixels `[H, W, 3]` of an image; the file format does not matter."""
    height, width = rgb.shape[:2]
    digest = hashlib.sha256(f"{height}x{width} ".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


def decode_views(item: WorkItem, contract: InputContract) -> Decoded | Failed:
    """Read, decode, turn and resize one image; whatever is wrong with it becomes the reason of its failure."""
    try:
        data = read_image_file(item.path)
        rgb = decode(data, name=str(item.path)).rgb
        inputs = tuple(prepare(apply(rgb, view), contract) for view in item.views)
    except Exception as error:  # whatever a stranger's file sets off, it stops at this image
        return Failed(item, reason_of(error))
    return Decoded(item, hashlib.sha256(data).hexdigest(), pixels_sha256(rgb), inputs)


def encode_views(decoded: Decoded, encoder: Graph, columns: Sequence[str]) -> Outcome:
    """Run the encoder on every view of an image, one at a time."""
    rows = []
    for prepared in decoded.inputs:
        encoded = encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})
        rows.append(summaries(encoded, prepared.pool_weights, columns))
    stacked = {name: np.stack([row[name] for row in rows]) for name in columns}
    if not all(np.isfinite(values).all() for values in stacked.values()):
        return Failed(decoded.item, "gives values that are no numbers; the encoder's graph may be damaged")
    return Embedded(decoded.item, decoded.file_sha256, decoded.pixels_sha256, stacked)


def reason_of(error: BaseException) -> str:
    """One line that says why, with the error's type where its message was not written for users."""
    text = error.reason if isinstance(error, ImageError) else f"fails with {type(error).__name__}: {error}"
    line = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text.encode("utf-8", "backslashreplace").decode()).strip(" :")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
