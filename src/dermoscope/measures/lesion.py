"""All measures of one lesion, from one mask and one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.measures.asymmetry import Asymmetry, measure_asymmetry
from dermoscope.measures.border import compactness
from dermoscope.measures.colours import Colours, measure_colours
from dermoscope.measures.diameter import Diameter, measure_diameter
from dermoscope.measures.shape import shape_of


@dataclass(frozen=True)
class LesionMeasures:
    """What was measured.

    Attributes:
        asymmetry: Shares of the lesion that do not fall onto themselves.
        compactness: P² / (4πA), 1 for a circle.
        colours: Shares of the six colours, and how much they vary.
        pixels: Diameters in pixels of the mask.
        millimetres: The same in millimetres, or none where the size of a pixel is not known.
        is_cut: Whether the lesion reaches the border of the image. Its diameters are then lower bounds, and asymmetry
            and compactness are those of the part that is seen.
    """

    asymmetry: Asymmetry
    compactness: float
    colours: Colours
    pixels: Diameter
    millimetres: Diameter | None
    is_cut: bool


def measure_lesion(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], *, spacing_mm: tuple[float, float] | None = None
) -> LesionMeasures:
    """Measure one lesion.

    Args:
        rgb: 8-bit image `[h, w, 3]`.
        mask: `[H, W]` at the size of the original image; the image may be a smaller copy of it.
        spacing_mm: Distance between rows, then between columns, of the mask in millimetres, as DICOM gives it.

    Raises:
        ValueError: If the mask is empty.
    """
    shape = shape_of(mask)
    left, top, right, bottom = shape.box
    height, width = mask.shape
    return LesionMeasures(
        asymmetry=measure_asymmetry(shape),
        compactness=compactness(shape),
        colours=measure_colours(rgb, mask),
        pixels=measure_diameter(mask),
        millimetres=measure_diameter(mask, spacing_mm) if spacing_mm else None,
        is_cut=left == 0 or top == 0 or right == width or bottom == height,
    )
