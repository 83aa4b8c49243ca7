"""A trained head as two files: `head.safetensors`, its tensors, and `head.json`, what they mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import nn

from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.heads.class_map import ClassMap
from dermoscope.heads.mlp import AveragedHead, MLPHead
from dermoscope.heads.neighbours import NeighbourHead
from dermoscope.heads.outliers import MahalanobisHead, NeighbourDistanceHead

WEIGHTS_NAME = "head.safetensors"
DESCRIPTION_NAME = "head.json"


class HeadError(ValueError):
    """A folder holds no head that can be used; the message names the file and the way out."""


class HeadDescription(BaseModel):
    """The contents of `head.json`.

    Attributes:
        schema_version: Version of this record.
        version: Version of `dermoscope` that trained it.
        recipe: Name of the recipe.
        kind: `mlp`, with no hidden layer for a linear or logistic probe, `knn`, or a gate by distance, `mahalanobis` or
            `neighbour-distance`.
        task: The question, such as `group`.
        definition: Name of the malignancy definition; empty where the task has none.
        classes: All answers to the question.
        present: Index among `classes` of each output; classes without training images have none.
        encoder: Fingerprint of the encoder that made the features.
        columns: What is read of the encoder, in the order in which it is joined, such as `mean`.
        features: Length F of the joined feature. Its standardisation is among the tensors.
        hidden: Widths of the hidden layers.
        members: Heads whose log-probabilities are averaged.
        neighbours: How many neighbours vote, or which of them the distance is measured from; 0 for other kinds.
        stored: Training features kept; 0 for other kinds.
        temperature: Calibration: logits are divided by it.
        bias: Calibration: added to the logits then, one an output.
        intended_use: What a person must know.
        weights_sha256: Of `head.safetensors`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    version: str
    recipe: str
    kind: Literal["mlp", "knn", "mahalanobis", "neighbour-distance"]
    task: str
    definition: str = ""
    classes: tuple[str, ...]
    present: tuple[int, ...]
    encoder: str
    columns: tuple[str, ...]
    features: int
    hidden: tuple[int, ...] = ()
    members: int = 1
    neighbours: int = 0
    stored: int = 0
    temperature: float = 1.0
    bias: tuple[float, ...]
    intended_use: str = "For research. Not a medical device, not for decisions about patients."
    weights_sha256: str = ""


@dataclass(frozen=True)
class SavedHead:
    """A head with all that is needed to use it.

    Attributes:
        description: What it answers, and from what.
        module: From features `[B, F]` to logits `[B, K']`, one for each class that occurred in training.
    """

    description: HeadDescription
    module: nn.Module

    @property
    def class_map(self) -> ClassMap:
        """Outputs to classes."""
        return ClassMap(self.description.classes, self.description.present)

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits `[N, K']` of features `[N, F]`, before calibration.

        Raises:
            HeadError: If the features have another length.
        """
        if features.shape[1] != self.description.features:
            expected = f"{self.description.features} numbers ({' + '.join(self.description.columns)})"
            raise HeadError(f"the head reads {expected}, the features have {features.shape[1]}")
        self.module.eval()
        with torch.inference_mode():
            return np.asarray(self.module(torch.from_numpy(features)).numpy(), np.float32)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated probabilities `[N, K]` of features `[N, F]`; zero for a class that training did not show."""
        found = calibrated_probabilities(
            self.logits(features), self.description.temperature, np.array(self.description.bias)
        )
        return self.class_map.to_classes(found)

    def files(self) -> dict[str, bytes]:
        """Contents of the two files, by name, the tensors first."""
        tensors = {name: tensor.contiguous() for name, tensor in self.module.state_dict().items()}
        weights = safetensors.torch.save(tensors)
        described = self.description.model_copy(update={"weights_sha256": hashlib.sha256(weights).hexdigest()})
        return {WEIGHTS_NAME: weights, DESCRIPTION_NAME: f"{described.model_dump_json(indent=1)}\n".encode()}


def load_head(folder: Path) -> SavedHead:
    """Read a head back and check it.

    Args:
        folder: Where `head.json` and `head.safetensors` lie.

    Raises:
        HeadError: If a file is missing, changed, or of another schema.
    """
    description_path, weights_path = folder / DESCRIPTION_NAME, folder / WEIGHTS_NAME
    try:
        description = HeadDescription.model_validate_json(description_path.read_bytes())
        weights = weights_path.read_bytes()
    except FileNotFoundError as error:
        raise HeadError(f"{error.filename} does not exist; give the folder that dermoscope train wrote") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise HeadError(f"{description_path} is no head of this version ({where}); train it again") from None
    if hashlib.sha256(weights).hexdigest() != description.weights_sha256:
        raise HeadError(f"{weights_path} is not the file that {DESCRIPTION_NAME} speaks of; train the head again")
    module = _empty_module(description)
    try:
        module.load_state_dict(safetensors.torch.load(weights))
    except (SafetensorError, RuntimeError):
        raise HeadError(f"{weights_path} does not fit {DESCRIPTION_NAME}; train the head again") from None
    return SavedHead(description, module.eval())


def _empty_module(description: HeadDescription) -> nn.Module:
    outputs = len(description.present)
    mean, std = torch.zeros(description.features), torch.ones(description.features)
    if description.kind == "knn":
        stored, labels = torch.zeros(description.stored, description.features), torch.zeros(description.stored)
        return NeighbourHead(stored, labels.long(), outputs, mean, std, description.neighbours)
    if description.kind == "neighbour-distance":
        stored = torch.zeros(description.stored, description.features)
        return NeighbourDistanceHead(mean, std, 0, stored, description.neighbours)
    if description.kind == "mahalanobis":
        return MahalanobisHead(mean, std, 0, mean, torch.zeros(description.features, description.features))
    members = [MLPHead(outputs, mean, std, description.hidden, 0.0) for _ in range(description.members)]
    return members[0] if len(members) == 1 else AveragedHead(members)
