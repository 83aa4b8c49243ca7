"""Mask files: which pixels are lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.images.decode import decode
from dermoscope.images.reading import ImageError

LESION_ABOVE = 128
"""Pixels above this value are lesion, as in the scoring code of the ISIC challenges."""


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask file, `[H, W]`: above 128 is lesion.

    Raises:
        ImageError: If it is no image, or holds small numbers only, such as 0 and 1.
    """
    values = decode(path, min_side=1).rgb[..., 0]
    if 0 < (largest := int(values.max())) <= LESION_ABOVE:
        raise ImageError(str(path), f"has {largest} as its largest value; write the lesion as 255 and the rest as 0")
    return np.asarray(values > LESION_ABOVE)
