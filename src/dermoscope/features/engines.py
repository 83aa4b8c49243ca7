"""What runs the encoder over many images: here or on a cluster, with the same bits."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol

from dermoscope.features.extraction import Outcome, WorkItem


class ExtractionEngine(Protocol):
    """Runs an encoder over images."""

    @property
    def arithmetic(self) -> str:
        """What it computes with, such as `openvino bfloat16`; results of two kinds are never mixed in one store."""

    def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
        """Embed images in any order, a bounded number of them in memory at a time.

        Args:
            items: The images; are taken as they are needed where the engine can.
            columns: What to compute of each.

        Yields:
            One outcome an item. An image that cannot be used is an outcome, not an error.
        """
