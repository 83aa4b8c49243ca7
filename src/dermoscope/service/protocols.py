"""What the service asks of the analyzer and of the store of cases, so that it runs with any object that has these."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dermoscope.analyzer import Outcome
from dermoscope.open_image import OpenImage

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class ServedBundle(Protocol):
    """The model behind the answers."""

    @property
    def fingerprint(self) -> str:
        """Text that differs whenever the model does."""


class ServedAnalyzer(Protocol):
    """Analyses one image at a time; is called from several threads at once."""

    @property
    def bundle(self) -> ServedBundle:
        """The model it runs."""

    def describe(self) -> dict[str, Any]:
        """The model, and which of its modes answers, as plain JSON types."""

    def analyze(
        self,
        source: bytes | Image,
        *,
        image_id: str,
        frame: int = 1,
        picture: bool = False,
        evidence: bool = False,
        keep_open: bool = False,
        spacing_mm: tuple[float, float] | None = None,
    ) -> Outcome:
        """Analyse one image; raises `ImageError` where there is none."""

    def evidence(self, opened: OpenImage) -> NDArray[np.float32]:
        """Where the evidence for malignancy lies, `[rows, columns]`, with the mask as it stands."""
