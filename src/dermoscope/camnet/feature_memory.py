"""The latest feature of every training sample, and the centres of the classes in torch.

References:
    A. Cartaya and M. Rivas, University of Girona, 2023, slide 8: a centre is made of the features of all samples of
    its class, each as it was when it was last seen.
"""

from __future__ import annotations

import torch
from torch import Tensor


class FeatureMemory:
    """Remembers features and moves the centres once an epoch.

    Args:
        labels: `[N]` class of each training sample, 0 to K-1.
        classes: K.
        channels: F.
        momentum: Share of the old centre that an update keeps.
    """

    def __init__(self, labels: Tensor, classes: int, channels: int, momentum: float = 0.0) -> None:
        self._labels, self._momentum = labels, momentum
        # In half precision: rounding is far below the spread of a class, and the memory goes into every checkpoint.
        self._features = torch.zeros(len(labels), channels, dtype=torch.float16)
        self._seen = torch.zeros(len(labels), dtype=torch.bool)
        self.centres = torch.zeros(classes, channels)
        self.known = torch.zeros(classes, dtype=torch.bool)
        """`[K]` classes that have a centre."""

    def remember(self, samples: Tensor, features: Tensor) -> None:
        """Keep the features `[B, F]` of samples `[B]`."""
        self._features[samples] = features.detach().to(device="cpu", dtype=torch.float16)
        self._seen[samples] = True

    def update(self) -> None:
        """Move each centre to the mean of its class's features that have been seen."""
        for label in range(len(self.centres)):
            own = self._features[self._seen & (self._labels == label)]
            if not len(own):
                continue
            mean = own.float().mean(dim=0)
            keep = self._momentum if self.known[label] else 0.0
            self.centres[label] = keep * self.centres[label] + (1 - keep) * mean
            self.known[label] = True

    def state(self) -> dict[str, Tensor]:
        """Everything, by name; `load` takes it back."""
        return {"features": self._features, "seen": self._seen, "centres": self.centres, "known": self.known}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._features, self._seen = state["features"], state["seen"]
        self.centres, self.known = state["centres"], state["known"]
