from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dermoscope import engine
from dermoscope.engine import ENGINES, EngineError, EngineName, available_engines, cache_folder, compile_graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sum and product of two vectors of any length."""
    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("a", "b", "product", "sum")]
    nodes = [helper.make_node("Mul", ["a", "b"], ["product"]), helper.make_node("Add", ["a", "b"], ["sum"])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", vectors[:2], vectors[2:]), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    path = tmp_path_factory.mktemp("graph") / "graph.onnx"
    onnx.save_model(model, path)
    return path


@pytest.mark.parametrize("name", ENGINES)
def test_outputs_have_names_and_values(name: EngineName, graph: Path) -> None:
    run = compile_graph(graph, engine=name, precision="float32")
    for length in (1, 4):
        a, b = np.arange(length, dtype=np.float32), np.full(length, 3, np.float32)
        found = run({"b": b, "a": a})
        assert set(found) == {"product", "sum"}
        np.testing.assert_array_equal(found["product"], 3 * a)
        np.testing.assert_array_equal(found["sum"], a + 3)


@pytest.mark.parametrize("name", ENGINES)
def test_a_result_outlives_the_next_call(name: EngineName, graph: Path) -> None:
    run = compile_graph(graph, engine=name, precision="float32")
    one = np.ones(4, np.float32)
    first = run({"a": one, "b": one})["sum"]
    run({"a": 5 * one, "b": one})
    assert first.tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ENGINES)
def test_threads_do_not_mix_their_results(name: EngineName, graph: Path) -> None:
    run = compile_graph(graph, engine=name, precision="float32", streams=2)
    barrier = threading.Barrier(4)

    def many(value: int) -> bool:
        barrier.wait(10)
        a = np.full(1000, value, np.float32)
        return all((run({"a": a, "b": a})["sum"] == 2 * value).all() for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(many, range(4)))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("content", [b"", b"not a graph"])
def test_a_broken_graph_is_named(name: EngineName, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=rf"{name} cannot compile .*broken\.onnx"):
        compile_graph(tmp_path / "broken.onnx", engine=name)


def test_a_missing_engine_is_named(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "available_engines", lambda: ("onnxruntime",))
    with pytest.raises(EngineError, match="engine 'openvino' is not installed; installed: onnxruntime"):
        compile_graph(graph, engine="openvino")
    assert type(compile_graph(graph)).__name__ == "_OnnxRuntimeGraph"


def test_no_engine_says_what_to_install(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "available_engines", tuple)
    with pytest.raises(EngineError, match="pip install openvino"):
        compile_graph(graph)


def test_openvino_comes_first() -> None:
    assert available_engines() == ("openvino", "onnxruntime")


def test_the_cache_goes_where_it_is_told(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMOSCOPE_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    compile_graph(graph, engine="openvino")
    assert (tmp_path / "cache").is_dir()
    monkeypatch.delenv("DERMOSCOPE_CACHE")
    assert cache_folder().name == "dermoscope"


def test_a_cache_that_cannot_be_made_is_done_without(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERMOSCOPE_CACHE", str(tmp_path / "file" / "cache"))
    one = np.ones(1, np.float32)
    assert compile_graph(graph, engine="openvino")({"a": one, "b": one})["sum"].tolist() == [2]


def test_openvino_leaves_the_choice_of_cores_to_the_system(graph: Path) -> None:
    run = compile_graph(graph, engine="openvino", threads=1)
    assert run._compiled.get_property("ENABLE_CPU_PINNING") is False  # type: ignore[attr-defined]


_FIRST_AT_ONCE = """
import os, sys, threading
import numpy as np
from pathlib import Path
from dermoscope.engine import compile_graph
run = compile_graph(Path(sys.argv[1]), engine="openvino", precision="float32", streams=2)
sys.setswitchinterval(1e-6)
barrier, one = threading.Barrier(8), np.ones(4, np.float32)
def first():
    barrier.wait()
    run({"a": one, "b": one})
threads = [threading.Thread(target=first) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_are_first_at_the_same_moment_do_not_wait_for_ever(graph: Path) -> None:
    for _ in range(3):  # without the lock, two in three hang
        subprocess.run([sys.executable, "-c", _FIRST_AT_ONCE, str(graph)], check=True, timeout=30, env=os.environ)
