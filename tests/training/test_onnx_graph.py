"""Tiny modules become graphs that compute the same, are half as large, and tell nothing about the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from dermoscope.engine import CACHE_VARIABLE, ENGINES, EngineName, compile_graph
from dermoscope.engine_cache import fold_constants
from dermoscope.training.onnx_graph import eight_bit_weights, export_onnx, halve_weights, largest_difference

# torch.export warns about itself.
pytestmark = pytest.mark.filterwarnings(r"ignore:.isinstance\(treespec, LeafSpec\):FutureWarning")


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.large, self.small = nn.Linear(64, 48), nn.Linear(48, 5)

    def forward(self, feature: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.large(feature)) + shift
        return self.small(hidden), hidden


EXAMPLE = {"feature": torch.rand(2, 64), "shift": torch.rand(1)}


@pytest.fixture(scope="module")
def module() -> Tiny:
    return Tiny().eval()


@pytest.fixture(scope="module")
def half(module: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "deep" / "tiny.onnx"
    export_onnx(module, EXAMPLE, ("logits", "hidden"), path, dynamic={"feature": {0: "images"}})
    return path


@pytest.fixture(scope="module")
def full(module: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "tiny.onnx"
    export_onnx(module, EXAMPLE, ("logits", "hidden"), path, weights="float32")
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_the_full_graph_computes_what_torch_does(engine: EngineName, module: Tiny, full: Path) -> None:
    outputs = compile_graph(full, engine=engine, precision="float32")({k: v.numpy() for k, v in EXAMPLE.items()})
    with torch.inference_mode():
        expected = module(*EXAMPLE.values())
    assert list(outputs) == ["logits", "hidden"]
    for ours, theirs in zip(outputs.values(), expected, strict=True):
        assert largest_difference(ours, theirs.numpy()) < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("images", [1, 2, 7])
def test_the_half_graph_computes_with_rounded_weights(
    engine: EngineName, images: int, module: Tiny, half: Path
) -> None:
    feature, shift = torch.rand(images, 64), torch.rand(1)
    outputs = compile_graph(half, engine=engine, precision="float32")(
        {"feature": feature.numpy(), "shift": shift.numpy()}
    )
    rounded = Tiny().eval()
    with torch.inference_mode():
        rounded.large.weight.copy_(module.large.weight.half().float())
        expected, exact = rounded(feature, shift), module(feature, shift)
    for ours, theirs, plain in zip(outputs.values(), expected, exact, strict=True):
        assert largest_difference(ours, theirs.numpy()) < 1e-5
        assert 0 < largest_difference(ours, plain.numpy()) < 1e-2


def test_halving_saves_half_of_the_large_weights(half: Path, full: Path) -> None:
    weights = {w.name: w for w in onnx.load(half).graph.initializer}
    halved = [w for w in weights.values() if w.data_type == TensorProto.FLOAT16]
    assert [sorted(w.dims) for w in halved] == [[48, 64]]
    assert full.stat().st_size - half.stat().st_size == pytest.approx(48 * 64 * 2, rel=0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_bits_move_a_weight_by_half_of_its_scale_at_most(
    engine: EngineName, module: Tiny, half: Path, tmp_path: Path
) -> None:
    model = onnx.load(half)
    eight_bit_weights(model)
    onnx.checker.check_model(model, full_check=True)
    path = tmp_path / "tiny.onnx"
    onnx.save_model(model, path)
    stored = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    integers = next(one for one in stored.values() if one.dtype == np.int8)
    scale = next(of for name, of in stored.items() if name.endswith("_scale"))
    weight = module.large.weight.detach().numpy()
    assert np.abs(integers).max(axis=1).tolist() == [127] * 48, "each output uses its whole range"
    assert (np.abs(integers * scale[:, None] - weight) <= scale[:, None] / 2 + np.abs(weight) * 2**-11).all()
    rounded = Tiny().eval()
    with torch.inference_mode():
        rounded.large.weight.copy_(torch.from_numpy(integers * scale[:, None]))
        expected = rounded(*EXAMPLE.values())
    outputs = compile_graph(path, engine=engine, precision="float32")({k: v.numpy() for k, v in EXAMPLE.items()})
    for ours, theirs in zip(outputs.values(), expected, strict=True):
        assert largest_difference(ours, theirs.numpy()) < 1e-5
    assert half.stat().st_size - path.stat().st_size == pytest.approx(48 * 64, rel=0.2)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_channel_of_a_convolution_has_its_own_scale(engine: EngineName, tmp_path: Path) -> None:
    module = nn.Conv2d(16, 8, 3).eval()
    with torch.no_grad():
        module.weight *= torch.logspace(-3, 0, 8)[:, None, None, None]
    image = torch.rand(1, 16, 9, 9)
    path = tmp_path / "conv.onnx"
    export_onnx(module, {"image": image}, ("out",), path)
    model = onnx.load(path)
    eight_bit_weights(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)
    found = compile_graph(path, engine=engine, precision="float32")({"image": image.numpy()})["out"]
    with torch.inference_mode():
        expected = module(image).numpy()
    error = np.abs(found - expected).max(axis=(0, 2, 3)) / np.abs(module.weight.detach().numpy()).max(axis=(1, 2, 3))
    assert error.min() > 0
    assert error.max() < 16 * 9 / 254


def inverted_residual() -> nn.Module:
    wide = nn.Conv2d(256, 256, 3, padding=1, groups=256)
    return nn.Sequential(nn.Conv2d(64, 256, 1), nn.ReLU6(), wide, nn.ReLU6(), nn.Conv2d(256, 64, 1))


def test_eight_bit_weights_are_the_same_in_every_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, image = nn.Sequential(*[inverted_residual() for _ in range(10)]).eval(), torch.rand(1, 64, 7, 7)
    path = tmp_path / "deep.onnx"
    export_onnx(module, {"image": image}, ("out",), path, weights="int8")
    expected = compile_graph(path, engine="onnxruntime")({"image": image.numpy()})["out"]
    folded = fold_constants(openvino.Core().read_model(path))
    assert not {"Convert", "Multiply"} & {one.get_type_name() for one in folded.get_ops()}, "no weights to compute"
    for attempt in range(3):
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / f"cache-{attempt}"))
        found = compile_graph(path, engine="openvino", streams=2)({"image": image.numpy()})["out"]
        assert largest_difference(found, expected) < 0.01


def test_a_product_of_a_sequence_is_stored_in_eight_bits_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, tokens = nn.Linear(64, 48, bias=False).eval(), torch.rand(2, 5, 64)
    path = tmp_path / "tokens.onnx"
    export_onnx(module, {"tokens": tokens}, ("out",), path, weights="int8")
    stored = onnx.load(path)
    assert "MatMul" in {node.op_type for node in stored.graph.node}
    (scale,) = [numpy_helper.to_array(w) for w in stored.graph.initializer if w.name.endswith("_scale")]
    weight = module.weight.detach().numpy()
    np.testing.assert_allclose(scale, np.abs(weight).max(axis=1) / 127, rtol=1e-3)
    found = compile_graph(path, precision="float32")({"tokens": tokens.numpy()})["out"]
    with torch.inference_mode():
        assert 0 < largest_difference(found, module(tokens).numpy()) < 64 * scale.max() / 2


def test_an_output_without_weights_stays_without(tmp_path: Path) -> None:
    module = nn.Linear(64, 32).eval()
    with torch.no_grad():
        module.weight[3] = 0
    path = tmp_path / "linear.onnx"
    export_onnx(module, {"feature": torch.rand(1, 64)}, ("out",), path)
    model = onnx.load(path)
    eight_bit_weights(model)
    onnx.save_model(model, path)
    found = compile_graph(path, precision="float32")({"feature": np.ones((1, 64), np.float32)})["out"]
    assert found[0, 3] == pytest.approx(module.bias[3].item())
    assert np.isfinite(found).all()


@pytest.mark.parametrize("which", ["half", "full"])
def test_nothing_about_the_machine_is_left(which: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(which)
    content = path.read_bytes()
    for trace in (b"/work", b"/home", b"/root", b"/usr", b"site-packages", b".py", b"Traceback", b"stack_trace"):
        assert trace not in content, trace
    assert [p.name for p in path.parent.iterdir()] == [path.name], "the graph is one file"


def test_values_beyond_half_precision_stay_as_they_are() -> None:
    weights = [
        numpy_helper.from_array(np.full(2000, value, np.float32), name)
        for name, value in (("big", 1e6), ("fine", 0.5), ("edge", 65504.0))
    ]
    weights.append(numpy_helper.from_array(np.arange(2000), "integers"))
    weights.append(numpy_helper.from_array(np.ones(1023, np.float32), "short"))
    graph = helper.make_graph([], "g", [], [], initializer=weights)
    model = helper.make_model(graph)
    halve_weights(model)
    assert [w.name for w in model.graph.initializer] == ["big", "fine_half", "edge_half", "integers", "short"]
    assert [(n.op_type, *n.input, *n.output) for n in model.graph.node] == [
        ("Cast", "fine_half", "fine"),
        ("Cast", "edge_half", "edge"),
    ]


def test_largest_difference() -> None:
    assert largest_difference(np.array([1, 2, 3], np.float32), np.array([1, 4, 2.5], np.float32)) == 2
