"""Where a training stands after an epoch, as one file: whoever goes on from it gets the very same numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import safetensors.torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dermoscope.batch.files import replace_file
from dermoscope.training.run_folder import EpochMetrics

_SCHEMA = 2

Epoch = TypeVar("Epoch", bound=EpochMetrics)


class CheckpointError(ValueError):
    """A checkpoint cannot be gone on from; the message names the file and the way out."""


@dataclass(frozen=True)
class TrainerState(Generic[Epoch]):
    """A training between two epochs.

    No state of a random generator is here: every epoch starts its own from seed and number.

    Attributes:
        inputs: Fingerprint of recipe, features and labels.
        history: Epochs so far.
        best_epoch: Number of the best one.
        finished: Whether there is none to come.
        model: Tensors of the model now.
        best: Tensors of the model after the best epoch.
        optimiser: `state_dict` of the optimiser.
        schedule: `state_dict` of the schedule; empty where there is none.
        average: Tensors of the moving average of the model; empty where there is none.
        memory: Tensors of the memory of features; empty where there is none.
    """

    inputs: str
    history: tuple[Epoch, ...]
    best_epoch: int
    finished: bool
    model: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    average: Mapping[str, Tensor] = field(default_factory=dict)
    memory: Mapping[str, Tensor] = field(default_factory=dict)


def save_state(state: TrainerState[Epoch], path: Path) -> None:
    """Write a checkpoint: tensors as safetensors, all else as JSON in the header, so that the two never part.

    Raises:
        OutputError: If it cannot be written; the checkpoint before it is still there then.
    """
    parts = {"model": state.model, "best": state.best, "average": state.average, "memory": state.memory}
    tensors = {f"{part}/{name}": tensor.contiguous() for part, own in parts.items() for name, tensor in own.items()}
    for number, slots in state.optimiser["state"].items():
        tensors |= {f"optimiser/{number}/{name}": tensor.contiguous() for name, tensor in slots.items()}
    rest = {
        "schema": _SCHEMA,
        "inputs": state.inputs,
        "history": [one.model_dump() for one in state.history],
        "best_epoch": state.best_epoch,
        "finished": state.finished,
        "groups": state.optimiser["param_groups"],
        "schedule": state.schedule,
    }
    replace_file(path, safetensors.torch.save(tensors, {"state": json.dumps(rest)}))


def load_state(path: Path, inputs: str, epoch: type[Epoch]) -> TrainerState[Epoch] | None:
    """Read a checkpoint.

    Args:
        path: The file.
        inputs: Fingerprint of what is trained now.
        epoch: What an epoch is recorded as.

    Returns:
        None if there is no checkpoint yet.

    Raises:
        CheckpointError: If it is damaged, or of another training.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as stream:
            rest = json.loads((stream.metadata() or {})["state"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
        if rest["schema"] != _SCHEMA or rest["inputs"] != inputs:
            reason = "is of another training: recipe, encoder, manifest or features differ"
            raise CheckpointError(f"{path} {reason}; choose another --out, or train as before")
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under(tensors, "optimiser/").items():
            number, _, slot = name.partition("/")
            slots.setdefault(int(number), {})[slot] = tensor
        return TrainerState(
            inputs=inputs,
            history=tuple(epoch.model_validate(one) for one in rest["history"]),
            best_epoch=rest["best_epoch"],
            finished=rest["finished"],
            model=_under(tensors, "model/"),
            best=_under(tensors, "best/"),
            optimiser={"state": slots, "param_groups": rest["groups"]},
            schedule=rest["schedule"],
            average=_under(tensors, "average/"),
            memory=_under(tensors, "memory/"),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValidationError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({type(error).__name__}); remove it to start again") from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
