"""Runs ONNX graphs on the fastest engine at hand, behind one call.

OpenVINO comes first on a CPU (with bfloat16 arithmetic where the CPU has it); ONNX Runtime is used where OpenVINO is
missing, or where it is asked for. Compiled OpenVINO models are kept in the user's cache folder, so that a second start
is quick.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock, local
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from dermoscope.engine_cache import compiled_model

EngineName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "float32"]
Arrays = dict[str, NDArray[Any]]

ENGINES: tuple[EngineName, ...] = ("openvino", "onnxruntime")
CACHE_VARIABLE = "DERMOSCOPE_CACHE"


class EngineError(RuntimeError):
    """An engine is missing or refuses a graph; the message says which and what to do."""


class Graph(Protocol):
    """A compiled graph: named arrays in, named arrays out. Safe to call from several threads."""

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Run the graph once."""
        ...


class NamedGraph(Graph, Protocol):
    """A graph that knows what it takes."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arrays it takes."""
        ...


def cache_folder() -> Path:
    """Where lies what can be made or fetched again: `$DERMOSCOPE_CACHE`, or the platform's cache folder for this user.

    Compiled models, and bundles from the model hub. Whoever empties it loses time, nothing else.
    """
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("dermoscope", appauthor=False)


def available_engines() -> tuple[EngineName, ...]:
    """Names of the installed engines, the preferred one first. Imports neither."""
    return tuple(name for name in ENGINES if importlib.util.find_spec(name) is not None)


def compile_graph(
    path: Path,
    *,
    engine: EngineName | None = None,
    precision: Precision = "auto",
    threads: int = 0,
    streams: int = 1,
) -> NamedGraph:
    """Compile an ONNX file for this machine.

    Args:
        path: The ONNX file.
        engine: Which engine; by default the first one installed.
        precision: `auto` lets OpenVINO compute in bfloat16 on CPUs that have it; `float32` never does.
        threads: Threads for one call; 0 leaves it to the engine.
        streams: How many calls may run at once.

    Raises:
        EngineError: If no engine is installed, the named one is missing, or it cannot compile the graph.
    """
    installed = available_engines()
    if not installed:
        raise EngineError("no inference engine is installed; run: pip install openvino")
    chosen = engine or installed[0]
    if chosen not in installed:
        raise EngineError(f"engine {chosen!r} is not installed; installed: {', '.join(installed)}")
    try:
        if chosen == "openvino":
            return _OpenVinoGraph(path, precision, threads, streams)
        return _OnnxRuntimeGraph(path, threads)
    except Exception as error:  # engines raise their own undocumented kinds
        raise EngineError(f"{chosen} cannot compile {path}: {error}") from error


# What OpenVINO's bindings make when they are first used, they make without the interpreter's lock: two threads that are
# first at the same moment wait for each other for ever (2026.4). So a thread has its first answer alone.
_first_use = Lock()


class _OpenVinoGraph:
    def __init__(self, path: Path, precision: Precision, threads: int, streams: int) -> None:
        # OpenVINO's companion package reports usage over the network; without it OpenVINO falls back to a silent stub.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino as ov
        import openvino.properties as props
        import openvino.properties.hint as hints

        core = ov.Core()
        options: dict[Any, Any] = {
            props.hint.performance_mode: hints.PerformanceMode.LATENCY,
            props.num_streams: streams,
            # OpenVINO would pin every process of a machine to the same first cores: two workers would share one.
            hints.enable_cpu_pinning: False,
            # Beside eight-bit weights OpenVINO would round activations to eight bits, too, and not say so.
            hints.dynamic_quantization_group_size: 0,
        }
        if threads:
            options[props.inference_num_threads] = threads
        if precision == "float32":
            options[hints.inference_precision] = ov.Type.f32
        elif _cpu_has_bfloat16(core):
            options[hints.inference_precision] = ov.Type.bf16
        self._compiled = compiled_model(core, path, options, cache_folder())
        self.inputs = tuple(port.get_any_name() for port in self._compiled.inputs)
        self._outputs = [port.get_any_name() for port in self._compiled.outputs]
        self._per_thread = local()

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        request = getattr(self._per_thread, "request", None)
        if request is None:
            with _first_use:
                request = self._per_thread.request = self._compiled.create_infer_request()
                return self._infer(request, inputs)
        return self._infer(request, inputs)

    def _infer(self, request: Any, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        results = request.infer(dict(inputs), share_inputs=True)
        return {name: np.array(results[index]) for index, name in enumerate(self._outputs)}


class _OnnxRuntimeGraph:
    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in ort.get_available_providers()]
        self._session = ort.InferenceSession(str(path), options, providers=providers)
        self.inputs = tuple(port.name for port in self._session.get_inputs())
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


def _cpu_has_bfloat16(core: Any) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
