"""A compiled model is on disk as a whole or not at all, and is believed only with its sum."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import TensorProto, helper

from dermoscope.engine_cache import compiled_model

PROGRAM = """
import sys, numpy as np, openvino as ov
from pathlib import Path
from dermoscope.engine_cache import compiled_model
input()
run = compiled_model(ov.Core(), Path(sys.argv[1]), {}, Path(sys.argv[2]))
print(run([np.array([2], np.float32)])[0].tolist())
"""


class Counting:
    """A core that counts what it compiles."""

    def __init__(self) -> None:
        self.core, self.compiled = ov.Core(), 0

    def compile_model(self, *given: Any) -> Any:
        self.compiled += 1
        return self.core.compile_model(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return doubling(tmp_path / "double.onnx", 2.0)


def doubling(path: Path, factor: float) -> Path:
    """A graph that multiplies one number."""
    node = helper.make_node("Mul", ["x", "factor"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    weight = helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])
    made = helper.make_graph([node], "double", ends[:1], ends[1:], [weight])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def answer(compiled: Any) -> list[float]:
    return list(compiled([np.array([3], np.float32)])[0])


def test_the_second_start_compiles_nothing(graph: Path, tmp_path: Path) -> None:
    core = Counting()
    for _ in range(2):
        assert answer(compiled_model(core, graph, {}, tmp_path / "cache")) == [6]
    assert core.compiled == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("change", ["cut", "flipped", "empty", "nonsense"])
def test_a_damaged_file_is_made_anew(graph: Path, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "cache"
    compiled_model(ov.Core(), graph, {}, folder)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged = {"cut": whole[: len(whole) // 2], "flipped": bytes(flipped), "empty": b"", "nonsense": b"no model"}
    file.write_bytes(damaged[change])
    core = Counting()
    assert answer(compiled_model(core, graph, {}, folder)) == [6]
    assert core.compiled == 1
    assert answer(compiled_model(core, graph, {}, folder)) == [6]
    assert core.compiled == 1


def test_another_graph_and_other_options_are_other_files(graph: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    compiled_model(ov.Core(), graph, {}, folder)
    compiled_model(ov.Core(), graph, {"NUM_STREAMS": 2}, folder)
    tripled = compiled_model(ov.Core(), doubling(tmp_path / "triple.onnx", 3.0), {}, folder)
    assert answer(tripled) == [9]
    assert len(list(folder.iterdir())) == 3


def test_nothing_is_left_of_a_write_that_failed(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert answer(compiled_model(ov.Core(), graph, {}, tmp_path / "cache")) == [6]
    assert list((tmp_path / "cache").iterdir()) == []


def test_processes_may_start_together(graph: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(graph), str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, env=os.environ, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in started]
    assert [out for out, _ in said] == ["[4.0]\n"] * 4, said
