"""Runs a mask decoder graph on one image's embedding. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.encoders.inputs import EncoderInput, InputContract, covered_cells
from dermoscope.engine import NamedGraph
from dermoscope.segment.prompts import Prompt, padded

PREVIOUS, HAS_PREVIOUS = "previous", "has_previous"
"""Names of the inputs that hold earlier masks; graphs of older bundles have neither."""


class PromptedDecoder:
    """Decodes prompts on a kept embedding.

    Args:
        graph: The decoder graph.
        contract: Input contract of the encoder that made the embedding.
        embedding: `[1, 256, h, w]`.
        prepared: The encoder input of the same image.
        shape: Height and width in pixels of the image that prompts are given on.
    """

    def __init__(
        self,
        graph: NamedGraph,
        contract: InputContract,
        embedding: NDArray[np.float32],
        prepared: EncoderInput,
        shape: tuple[int, int],
    ) -> None:
        self._graph = graph
        self._side = 4 * contract.map_size
        self._embedding = embedding
        self._scale = np.array((prepared.width / shape[1], prepared.height / shape[0]), np.float32)
        self._rows, self._columns = covered_cells(prepared, contract, self._side)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the logits it returns."""
        return self._rows, self._columns

    @property
    def takes_previous(self) -> bool:
        """Whether a prompt may have an earlier mask."""
        return PREVIOUS in self._graph.inputs

    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode prompts in one batch.

        Args:
            prompts: With positions in pixels of that image.

        Returns:
            Mask logits `[N, 4, h, w]` over the image without padding, and predicted overlaps `[N, 4]`.

        Raises:
            ValueError: If a prompt has an earlier mask and the graph takes none.
        """
        points, labels = padded(prompts, self._scale)
        result = self._graph({"embedding": self._embedding, "points": points, "labels": labels, **self._dense(prompts)})
        masks = result["masks"][:, :, : self._rows, : self._columns]
        return np.asarray(masks, np.float32), np.asarray(result["overlaps"], np.float32)

    def _dense(self, prompts: Sequence[Prompt]) -> dict[str, NDArray[np.float32]]:
        """Earlier masks, put back where the padding was; nothing for a graph that takes none."""
        if not self.takes_previous:
            if any(prompt.previous is not None for prompt in prompts):
                raise ValueError("this decoder takes no earlier mask; give clicks and boxes alone")
            return {}
        masks = np.zeros((len(prompts), 1, self._side, self._side), np.float32)
        for row, prompt in enumerate(prompts):
            if prompt.previous is not None:
                masks[row, 0, : self._rows, : self._columns] = prompt.previous
        known = np.array([prompt.previous is not None for prompt in prompts], np.float32)
        return {PREVIOUS: masks, HAS_PREVIOUS: known}
