"""Changes of place, which move image and mask alike. Torch-free."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.training.recipes.augmentation import ZoomPart

_Image = NDArray[np.uint8]
_Mask = NDArray[np.bool_]

_DRAWS = 5
_RIM_BLUR = 0.04
_QUARTER_TURNS = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


def symmetry(rgb: _Image, mask: _Mask, random: np.random.Generator) -> tuple[_Image, _Mask]:
    """One of the eight symmetries of the square; an odd number of quarter turns swaps height and width.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        mask: `[H, W]`.
        random: Draws which.
    """
    turns, flipped = divmod(int(random.integers(8)), 2)
    return _moved(rgb, turns, flipped), _moved(mask.view(np.uint8), turns, flipped).view(np.bool_)


def zoom(rgb: _Image, mask: _Mask, part: ZoomPart, random: np.random.Generator) -> tuple[_Image, _Mask]:
    """Another magnification, direction and detail, at the same height and width.

    A detail that loses too much of the lesion is drawn again; after five in vain everything stays as it is. Ground that
    the image does not show is its mirror image, lesion included; but where that would put a copy beside a lesion that
    ends within the image, the colours of the rim go on instead.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        mask: `[H, W]`.
        part: How far, and how much of the lesion must stay.
        random: Draws magnification, angle and place.
    """
    shades = mask.view(np.uint8) * np.uint8(255)
    area = np.count_nonzero(mask)
    for _ in range(_DRAWS):
        scale, matrix = _placement(mask.shape, part, random)
        kept = _warped(shades, matrix, cv2.BORDER_CONSTANT) > 127
        if np.count_nonzero(kept) < part.least_lesion * scale**2 * area:
            continue
        # One pass over four channels is faster than one over three, and the mask comes along.
        mirrored = _warped(cv2.merge((*cv2.split(rgb), shades)), matrix, cv2.BORDER_REFLECT_101)
        lesion = mirrored[..., 3] > 127
        if not _is_cut(mask) and np.count_nonzero(lesion) > np.count_nonzero(kept):
            return _continued(rgb, matrix), kept
        return np.asarray(cv2.cvtColor(mirrored, cv2.COLOR_RGBA2RGB), dtype=np.uint8), lesion
    return rgb, mask


def _moved(pixels: _Image, turns: int, flipped: int) -> _Image:
    rotation = _QUARTER_TURNS[turns]
    turned = pixels if rotation is None else cv2.rotate(pixels, rotation)
    return np.asarray(cv2.flip(turned, 1) if flipped else turned, dtype=np.uint8)


def _placement(
    shape: tuple[int, ...], part: ZoomPart, random: np.random.Generator
) -> tuple[float, NDArray[np.float64]]:
    """A magnification and the affine matrix, `[2, 3]`, from pixels of the image to those of its variant."""
    height, width = shape
    scale = float(np.exp(random.uniform(*np.log(part.scale))))
    centre = ((width - 1) / 2, (height - 1) / 2)
    turned = cv2.getRotationMatrix2D(centre, part.rotation * random.uniform(-1, 1), scale)
    matrix = np.asarray(turned, dtype=np.float64)
    # As far as the detail can move within the image, or the smaller image within the frame.
    matrix[:, 2] += random.uniform(-1, 1, 2) * abs(scale - 1) * centre
    return scale, matrix


def _continued(rgb: _Image, matrix: NDArray[np.float64]) -> _Image:
    """The image in its new place, its outermost pixels drawn out to all sides and blurred."""
    height, width = rgb.shape[:2]
    sharp = _warped(rgb, matrix, cv2.BORDER_REPLICATE)
    inside = _warped(np.full((height, width), 255, dtype=np.uint8), matrix, cv2.BORDER_CONSTANT)
    reach = 2 * round(_RIM_BLUR * min(height, width)) + 1
    smooth = cv2.blur(sharp, (reach, reach))
    cv2.copyTo(sharp, inside, smooth)
    return np.asarray(smooth, dtype=np.uint8)


def _is_cut(mask: _Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _warped(pixels: NDArray[Any], matrix: NDArray[np.float64], border: int) -> _Image:
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), dtype=np.uint8)
