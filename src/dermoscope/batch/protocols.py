"""What the runner asks of records, models and analyzers, so that it runs with any object that has these few names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis, Status

if TYPE_CHECKING:
    from dermoscope.batch.run_record import Option


class ImageRecord(Protocol):
    """What is written about one image."""

    @property
    def image_id(self) -> str:
        """Name of the image within the run."""

    @property
    def status(self) -> Status:
        """Whether it was done."""

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""

    def to_row(self) -> dict[str, str | int | float | bool | None]:
        """Its row in the table."""


class AnalyzedImage(Protocol):
    """An analysis with its images."""

    @property
    def analysis(self) -> Analysis:
        """The record."""

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """`[H, W]` at the original size, or none."""

    @property
    def picture(self) -> NDArray[np.uint8] | None:
        """`[h, w, 3]` RGB, if it was asked for."""


class ModelIdentity(Protocol):
    """The model behind the results."""

    @property
    def name(self) -> str:
        """Name a person reads."""

    @property
    def fingerprint(self) -> str:
        """Text that differs whenever the model does."""


class ImageAnalyzer(Protocol):
    """Analyses one image at a time; is called from several threads at once."""

    @property
    def bundle(self) -> ModelIdentity:
        """The model it runs."""

    @property
    def settings(self) -> Mapping[str, Option]:
        """How it was set up, where that changes results; recorded, and compared before a run goes on."""

    def analyze(
        self,
        source: Path,
        *,
        image_id: str,
        path: str,
        frame: int,
        picture: bool,
        spacing_mm: tuple[float, float] | None,
    ) -> AnalyzedImage:
        """Analyse one file. Whatever it raises becomes the reason in that image's row."""
