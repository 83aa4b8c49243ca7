"""Files of weights: where they are, whether they are whole, and what they are called by. Torch-free."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath

from dermoscope.files import sha256_of

MODEL_FILE = "model.safetensors"
_INDEX_FILE = "model.safetensors.index.json"


class WeightsError(ValueError):
    """Weights cannot be used; the message names the file, says why, and how to get better ones."""


def weight_files(weights: Path) -> tuple[Path, ...]:
    """The safetensors files behind a path.

    Args:
        weights: A safetensors file, or a folder with `model.safetensors` or with the index of several such files.

    Raises:
        WeightsError: If there are none, or a file in another format.
    """
    if weights.is_file():
        if weights.suffix != ".safetensors":
            raise WeightsError(f"{weights} is not a .safetensors file; convert it with: dermoscope models import")
        return (weights,)
    if not weights.is_dir():
        raise WeightsError(f"{weights} is neither a .safetensors file nor a model folder")
    if (weights / MODEL_FILE).is_file():
        return (weights / MODEL_FILE,)
    index = weights / _INDEX_FILE
    if not index.is_file():
        raise WeightsError(f"{weights} holds no {MODEL_FILE}; convert other formats with: dermoscope models import")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{index} is no index of safetensors files; fetch the model again") from None
    for name in names:
        if not isinstance(name, str) or PurePosixPath(name).name != name or not (weights / name).is_file():
            raise WeightsError(f"{index} names {name!r}, which is not a file beside it; fetch the model again")
    return tuple(weights / name for name in names)


def weights_sha256(weights: Path) -> str:
    """What identifies weights: the SHA-256 of their file, or of the sums of their files in order.

    Raises:
        WeightsError: If there are none, see `weight_files`.
    """
    sums = [sha256_of(file) for file in weight_files(weights)]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
