"""One training image with its mask, read, made small, changed, and fitted into the encoder's square. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import EncoderInput, InputContract, covered_cells, prepare
from dermoscope.images import LESION_ABOVE, decode, read_mask
from dermoscope.training.augmentation import augment
from dermoscope.training.recipes.augmentation import AugmentationPart

_LEAST_SIDE = 256  # hair and JPEG artefacts need some pixels to be drawn on


@dataclass(frozen=True, eq=False)
class MaskSample:
    """What a model learns from one copy of one image.

    Attributes:
        prepared: The image, ready for the encoder.
        target: `[side, side]` uint8, share of lesion in each cell of the model's answer, 0 to 255.
    """

    prepared: EncoderInput
    target: NDArray[np.uint8]


def mask_sample(
    record: Record, contract: InputContract, side: int, part: AugmentationPart, *, seed: int, copy: int
) -> MaskSample:
    """Read one image with its mask; copies from 1 on are changed, each in its own way.

    Args:
        record: With a `mask_path`.
        contract: How the encoder wants its images.
        side: Side of the model's answer in cells, over the whole square.
        part: How copies are changed.
        seed: With the name of the image and the number of the copy, decides how.
        copy: Number of the copy; 0 is the image as it is.

    Raises:
        ImageError: If a file cannot be read as an image.
        ValueError: If image and mask differ in size.
    """
    rgb, mask = read_pair(record, max(_LEAST_SIDE, 2 * contract.size))
    if copy:
        digest = np.frombuffer(record.image_id.encode(), np.uint8)
        rgb, mask = augment(rgb, mask, part, np.random.default_rng([seed, copy, *digest.tolist()]))
    prepared = prepare(rgb, contract)
    return MaskSample(prepared, fitted_mask(mask, prepared, contract, side))


def images_fingerprint(records: Sequence[Record]) -> str:
    """A SHA-256 that tells images by their names, files and sums, in order; without a sum, by the file's size."""
    digest = hashlib.sha256()
    for record in records:
        told = record.sha256 or (record.path.stat().st_size if record.path.exists() else "")
        digest.update(f"{record.image_id}\n{record.path.name}\n{told}\n".encode())
    return digest.hexdigest()


def read_pair(record: Record, side: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An image `[H, W, 3]` and its mask `[H, W]`, with a long side of at most `side` pixels.

    Raises:
        ImageError: If a file cannot be read as an image.
        ValueError: If the record has no mask, or image and mask differ in size.
    """
    if record.mask_path is None:
        raise ValueError(f"{record.image_id} has no mask; give its mask_path in the manifest")
    image, truth = decode(record.path), read_mask(record.mask_path)
    height, width = truth.shape
    if (image.width, image.height) != (width, height):
        raise ValueError(
            f"{record.mask_path} is {width}x{height}, its image is {image.width}x{image.height}; "
            "a mask must have the size of its image"
        )
    scale = min(1.0, side / max(image.width, image.height))
    if scale == 1.0:
        return image.rgb, truth
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    rgb = np.asarray(cv2.resize(image.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    shades = np.where(truth, np.uint8(255), np.uint8(0))
    return rgb, np.asarray(cv2.resize(shades, size, interpolation=cv2.INTER_AREA) > LESION_ABOVE)


def fitted_mask(
    mask: NDArray[np.bool_], prepared: EncoderInput, contract: InputContract, side: int
) -> NDArray[np.uint8]:
    """A mask `[H, W]` on the model's grid `[side, side]`, as the share of lesion in each cell, 0 to 255."""
    rows, columns = covered_cells(prepared, contract, side)
    target = np.zeros((side, side), np.uint8)
    shrinking = columns < mask.shape[1]
    full = np.where(mask, 255, 0).astype(np.float32)
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(full, (columns, rows), interpolation=interpolation))
    target[:rows, :columns] = np.clip(np.rint(small), 0, 255)
    return target
