"""Runs the graph of a network that outlines the lesion by itself, without any prompt. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope.encoders.inputs import InputContract, covered_cells, prepare
from dermoscope.engine import NamedGraph

INPUT, OUTPUT = "image", "logits"
"""Names in the graph."""


class MaskNetwork:
    """Draws the mask of an image that nobody has given a prompt for.

    Args:
        graph: Takes `image` `[1, 3, S, S]`, and answers with `logits` `[1, s, s]` over that square.
        contract: How the network wants its images.
    """

    def __init__(self, graph: NamedGraph, contract: InputContract) -> None:
        self._graph, self._contract = graph, contract

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits `[h, w]` over the image without padding, positive inside the lesion.

        Args:
            rgb: `[H, W, 3]`, 8-bit.
        """
        prepared = prepare(rgb, self._contract)
        logits = self._graph({INPUT: prepared.image})[OUTPUT][0]
        rows, columns = covered_cells(prepared, self._contract, len(logits))
        return np.asarray(logits[:rows, :columns], np.float32)
