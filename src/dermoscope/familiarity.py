"""How far an image is from those that the model was calibrated on. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope.bundle import Bundle
from dermoscope.engine import EngineName, compile_graph

INPUT, OUTPUT = "feature", "distance"
"""Names in the graph."""


class FamiliarityModel:
    """What measures the distance of an image, compiled. Safe to use from several threads.

    Args:
        bundle: The model; without its part for this no image has a distance.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        EngineError: If no engine can run the graph.
    """

    def __init__(self, bundle: Bundle, *, engine: EngineName | None, threads: int, streams: int) -> None:
        self._graph = None
        if part := bundle.description.familiarity:
            self._limit = part.limit
            # A small matrix product; float32 keeps the distance equal across machines.
            self._graph = compile_graph(
                bundle.graph_path(part), engine=engine, precision="float32", threads=threads, streams=streams
            )

    def __call__(self, feature: NDArray[np.float32]) -> float | None:
        """The distance of one image as a share of the limit: above 1 it is unlike those of the calibration.

        Args:
            feature: `[1, F]`, of the encoder.
        """
        return None if self._graph is None else float(self._graph({INPUT: feature})[OUTPUT][0]) / self._limit
