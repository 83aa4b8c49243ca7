"""Keeps compiled OpenVINO models on disk, so that a second start is quick: whole files or none.

OpenVINO has a cache of its own, but writes its files in place: of several processes that start at once some fail, and
a file that was read half-written, or left so by a killed process, gives numbers that are not finite, for ever. Here a
file gets its name only when it is complete, and is believed only with its sum.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dermoscope.files import sha256_of

_SUFFIX = ".compiled"
_SUM_LENGTH = 64
_DEVICE = "CPU"
_PREPARED = "constants folded"
"""What is done to a graph before it is compiled; files that were compiled otherwise are not read."""


def compiled_model(core: Any, path: Path, options: Mapping[Any, Any], folder: Path) -> Any:
    """A graph compiled for this processor, out of the folder if it is there, else into it.

    Args:
        core: An `openvino.Core`.
        path: The ONNX file.
        options: What it is compiled with.
        folder: Where compiled models lie; where nothing can be written, a start is slower, nothing else.
    """
    file = folder / f"{_key(core, path, options)}{_SUFFIX}"
    if (kept := _read(file)) is not None:
        # A model that this OpenVINO refuses all the same is compiled anew.
        with suppress(RuntimeError):
            return core.import_model(io.BytesIO(kept), _DEVICE, dict(options))
    compiled = core.compile_model(fold_constants(core.read_model(str(path))), _DEVICE, dict(options))
    with suppress(OSError, RuntimeError):
        _write(file, compiled.export_model().getvalue())
    return compiled


def fold_constants(model: Any) -> Any:
    """The model with all that does not depend on its inputs computed.

    OpenVINO would do so while it compiles, for every stream at once: with two streams, networks whose weights are
    stored in eight bits were then compiled wrongly time and again, without a word (2026.4).
    """
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    return model


def _key(core: Any, path: Path, options: Mapping[Any, Any]) -> str:
    """What a compiled model depends on: graph, options, OpenVINO, and the processor with what it can do."""
    import openvino as ov

    able = sorted(core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"))
    parts = [_PREPARED, sha256_of(path), ov.get_version(), core.get_property(_DEVICE, "FULL_DEVICE_NAME"), *able]
    parts += sorted(f"{name}={value}" for name, value in options.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(file: Path) -> bytes | None:
    """The model in a file, or none if there is none, or not a whole one."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    told, model = data[:_SUM_LENGTH], data[_SUM_LENGTH:]
    return model if hashlib.sha256(model).hexdigest().encode() == told else None


def _write(file: Path, model: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(hashlib.sha256(model).hexdigest().encode())
            stream.write(model)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
