"""Which output of a head stands for which class, where training shows only some of the classes. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
"""Output of a class that has none."""


@dataclass(frozen=True)
class ClassMap:
    """Classes of a task and those among them that a head can answer.

    Attributes:
        classes: Names of all K classes.
        present: Class of each of the K' outputs, rising.
    """

    classes: tuple[str, ...]
    present: tuple[int, ...]

    @classmethod
    def of(cls, classes: tuple[str, ...], labels: NDArray[np.integer]) -> ClassMap:
        """The map of a head that learns from these labels `[N]`, 0 to K - 1."""
        return cls(classes, tuple(int(label) for label in np.unique(labels)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of the class of each output."""
        return tuple(self.classes[index] for index in self.present)

    def to_outputs(self, labels: NDArray[np.integer]) -> NDArray[np.int64]:
        """Output of each label `[N]`; `ABSENT` where its class has none."""
        place = np.full(len(self.classes), ABSENT, np.int64)
        place[list(self.present)] = np.arange(len(self.present))
        return np.asarray(place[labels])

    def to_classes(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities of all classes `[N, K]` from those of the outputs `[N, K']`; zero for an absent class."""
        spread = np.zeros((len(probabilities), len(self.classes)))
        spread[:, list(self.present)] = probabilities
        return spread
