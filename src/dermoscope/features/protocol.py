"""What a reader of stored features may ask, wherever they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.features.errors import FeatureError

__all__ = ["FeatureError", "Features"]


class Features(Protocol):
    """Stored features of one encoder."""

    def of(self, records: Sequence[Record], view: str = "original", column: str = "mean") -> NDArray[np.float32]:
        """One column of some images in one view, in their order.

        Args:
            records: The images.
            view: One of `views()`.
            column: One of `columns()`.

        Returns:
            `[N, C]`.

        Raises:
            FeatureError: If an image was never embedded in that view, or the column is not stored.
        """

    def columns(self) -> tuple[str, ...]:
        """What is stored of an image in one view, such as `mean`, `std`, `max` and `levels`."""

    def views(self) -> tuple[str, ...]:
        """Names of the views that are stored of at least one image."""
