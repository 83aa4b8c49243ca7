"""From an RGB image to what an encoder takes, and from the encoder's square back to the image. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dermoscope.encoders.registry import IMAGENET_MEAN, IMAGENET_STD, EncoderSpec, Scaling

Fit = Literal["pad", "squash"]


class InputContract(BaseModel):
    """How an encoder wants its images.

    Attributes:
        size: Side of the square input in pixels.
        fit: `pad` keeps the aspect ratio and fills right and bottom with zeros; `squash` stretches to the square.
        scaling: `min-max` of each image to 0…1, `imagenet` mean and standard deviation, or `symmetric` to −1…1.
        map_size: Side of the embedding map in cells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    fit: Fit
    scaling: Scaling
    map_size: int


def input_contract(spec: EncoderSpec, size: int | None = None, fit: Fit = "pad") -> InputContract:
    """The contract of an encoder at some size.

    Args:
        spec: The encoder.
        size: Side of its square input in pixels; by default the one its weights were trained at.
        fit: How images that are not square fill it.

    Raises:
        ValueError: If the encoder does not take that size.
    """
    side = spec.native_size if size is None else size
    if side < 1 or side % spec.input_multiple:
        raise ValueError(f"size must be a multiple of {spec.input_multiple} pixels for {spec.name}, got {side}")
    return InputContract(size=side, fit=fit, scaling=spec.scaling, map_size=side // spec.map_stride)


@dataclass(frozen=True)
class EncoderInput:
    """One image, ready for the encoder.

    Attributes:
        image: `[1, 3, size, size]` float32.
        pool_weights: `[1, 1, map, map]` float32, the share of each cell in the mean over the image; sums to one.
        width: Width of the image inside the square, in pixels; the rest is padding.
        height: Height of the image inside the square, in pixels.
    """

    image: NDArray[np.float32]
    pool_weights: NDArray[np.float32]
    width: int
    height: int


def prepare(rgb: NDArray[np.uint8], contract: InputContract) -> EncoderInput:
    """Resize, scale and pad one image.

    Args:
        rgb: `[H, W, 3]` uint8.
        contract: What the encoder wants.
    """
    width, height = fitted_size(rgb.shape[1], rgb.shape[0], contract)
    shrinking = width < rgb.shape[1]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(rgb, (width, height), interpolation=interpolation), np.uint8)
    image = np.zeros((1, 3, contract.size, contract.size), np.float32)
    image[0, :, :height, :width] = _scaled(pixels, contract.scaling).transpose(2, 0, 1)
    return EncoderInput(image, _pool_weights(width, height, contract), width, height)


def fitted_size(width: int, height: int, contract: InputContract) -> tuple[int, int]:
    """Width and height in pixels that an image of the given size takes inside the encoder's square."""
    if contract.fit == "squash":
        return contract.size, contract.size
    scale = contract.size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def covered_cells(prepared: EncoderInput, contract: InputContract, side: int) -> tuple[int, int]:
    """Rows and columns of a grid over the encoder's square that show image, not padding.

    Args:
        prepared: The image.
        contract: What made it.
        side: Cells along one side of the grid.
    """
    rows, columns = (max(1, round(length * side / contract.size)) for length in (prepared.height, prepared.width))
    return rows, columns


def _scaled(pixels: NDArray[np.uint8], scaling: Scaling) -> NDArray[np.float32]:
    values = pixels.astype(np.float32)
    if scaling == "min-max":
        low, high = float(values.min()), float(values.max())
        return (values - np.float32(low)) / np.float32(max(high - low, 1e-8))
    if scaling == "symmetric":
        return values / np.float32(127.5) - np.float32(1.0)
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return np.asarray((values / np.float32(255.0) - mean) / std, np.float32)


def _pool_weights(width: int, height: int, contract: InputContract) -> NDArray[np.float32]:
    """Share of image, not padding, in each cell of the map; cells at the edge of the image count in part."""
    edges = np.arange(contract.map_size, dtype=np.float32)
    stride = contract.size / contract.map_size
    columns = np.clip(width / stride - edges, 0.0, 1.0)
    rows = np.clip(height / stride - edges, 0.0, 1.0)
    weights = rows[:, None] * columns[None, :]
    return np.asarray(weights / weights.sum(), np.float32)[None, None]
