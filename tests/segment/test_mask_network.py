"""What a network draws lies where the image shows it, whatever the shape of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.encoders.inputs import Fit, InputContract
from dermoscope.segment.mask_network import INPUT, OUTPUT, MaskNetwork

SIZE = 64


class Dark:
    """Answers at half resolution: positive where the image is dark, and in the padding."""

    inputs = (INPUT,)

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Logits `[1, S / 2, S / 2]`."""
        grey = inputs[INPUT].mean(axis=1)
        return {OUTPUT: -4 * grey[:, ::2, ::2] + np.where(grey[:, ::2, ::2] == 0, 9, 0)}


@pytest.mark.parametrize(("fit", "shape"), [("squash", (32, 32)), ("pad", (20, 32))])
def test_logits_cover_the_image_without_padding(fit: Fit, shape: tuple[int, int]) -> None:
    contract = InputContract(size=SIZE, fit=fit, scaling="symmetric", map_size=2)
    rgb = np.full((100, 160, 3), 250, np.uint8)
    rgb[10:40, 100:150] = 5  # top right
    logits = MaskNetwork(Dark(), contract)(rgb)
    assert logits.shape == shape
    assert logits.dtype == np.float32
    rows, columns = np.nonzero(logits > 0)
    down, across = (rows + 0.5) / shape[0], (columns + 0.5) / shape[1]
    assert 0.09 < down.min() < down.max() < 0.42
    assert 0.6 < across.min() < across.max() < 0.96
    assert down.mean() == pytest.approx(0.25, abs=0.03)
    assert across.mean() == pytest.approx(0.78, abs=0.03)
