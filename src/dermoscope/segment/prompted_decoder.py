"""Runs a mask decoder graph on one image's embedding. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.encoders.inputs import EncoderInput, InputContract
from dermoscope.engine import Graph
from dermoscope.segment.prompts import PADDING_LABEL, Prompt


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
        graph: Graph,
        contract: InputContract,
        embedding: NDArray[np.float32],
        prepared: EncoderInput,
        shape: tuple[int, int],
    ) -> None:
        self._graph = graph
        self._embedding = embedding
        self._scale = np.array((prepared.width / shape[1], prepared.height / shape[0]), np.float32)
        cells = 4 * contract.map_size / contract.size
        self._rows = max(1, round(prepared.height * cells))
        self._columns = max(1, round(prepared.width * cells))

    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode prompts in one batch.

        Args:
            prompts: With positions in pixels of that image.

        Returns:
            Mask logits `[N, 4, h, w]` over the image without padding, and predicted overlaps `[N, 4]`.
        """
        longest = max(2, max(len(prompt.labels) for prompt in prompts))
        points = np.zeros((len(prompts), longest, 2), np.float32)
        labels = np.full((len(prompts), longest), PADDING_LABEL, np.int64)
        for row, prompt in enumerate(prompts):
            points[row, : len(prompt.labels)] = prompt.points * self._scale
            labels[row, : len(prompt.labels)] = prompt.labels
        result = self._graph({"embedding": self._embedding, "points": points, "labels": labels})
        masks = result["masks"][:, :, : self._rows, : self._columns]
        return np.asarray(masks, np.float32), np.asarray(result["overlaps"], np.float32)
