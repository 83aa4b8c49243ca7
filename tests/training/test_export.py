"""From torch parts to a bundle that loads: with a tiny encoder and a random decoder, on every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from dermoscope.bundle import Bundle, BundleDescription
from dermoscope.bundle_parts import GraphCheck
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.summaries import EncoderWithSummaries
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.engine import compile_graph
from dermoscope.heads.mlp import MLPHead
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.training.export import (
    DECODER,
    ENCODER,
    GATE,
    HEADS,
    TorchParts,
    check_graphs,
    export_heads,
    export_sam_graphs,
    load_parts,
    write_bundle,
)
from tests.sam_states import original_decoder_state, original_encoder_state, shuffled

CONTRACT = InputContract(size=16, fit="squash", scaling="min-max", map_size=4)

# torch.export warns about itself.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:.isinstance\(treespec, LeafSpec\):FutureWarning"),
    pytest.mark.filterwarnings("ignore:# The axis name:UserWarning"),
]


class TinyEncoder(TinyViTSam):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 256, 4, stride=4)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return F.interpolate(images, scale_factor=0.5), torch.tanh(self.layer(images))


STATISTICS = 2 * (3 + 256)
Exported = tuple[Path, TorchParts, MLPHead, dict[str, MLPHead]]


def head(classes: int, width: int = 256) -> MLPHead:
    return MLPHead(classes, torch.zeros(width), torch.ones(width), (8,)).eval()


def parts_and_heads() -> tuple[TorchParts, MLPHead, dict[str, MLPHead]]:
    decoder = shuffled(PromptedMaskDecoder(CONTRACT.size))
    assert isinstance(decoder, PromptedMaskDecoder)
    heads = {"malignancy": head(2), "group": head(5)}
    return TorchParts(EncoderWithSummaries(TinyEncoder()).eval(), decoder), head(2, STATISTICS), heads


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("bundle")
    parts, gate, heads = parts_and_heads()
    export_sam_graphs(parts, CONTRACT, folder)
    export_heads({"gate": gate}, "statistics", STATISTICS, folder / GATE)
    export_heads(heads, "feature", 256, folder / HEADS)
    return folder, parts, gate, heads


def checks_of(parts: TorchParts, gate: MLPHead, heads: dict[str, MLPHead], folder: Path) -> tuple[GraphCheck, ...]:
    random = np.random.default_rng(0)
    prepared = [prepare(random.integers(0, 256, (20, 30, 3), dtype=np.uint8), CONTRACT) for _ in range(2)]
    return check_graphs(parts, gate, heads, [(p.image, p.pool_weights) for p in prepared], CONTRACT, folder)


def test_every_graph_agrees_with_torch_on_every_engine(
    exported: Exported,
) -> None:
    folder, parts, gate, heads = exported
    checks = checks_of(parts, gate, heads, folder)
    outputs = [(ENCODER, "embedding"), (ENCODER, "feature"), (ENCODER, "statistics")]
    outputs += [(DECODER, "masks"), (DECODER, "overlaps"), (GATE, "gate"), (HEADS, "malignancy"), (HEADS, "group")]
    assert [(check.graph, check.output) for check in checks] == outputs * 3
    assert {check.images for check in checks} == {2}
    for check in checks:
        assert check.scale > 0
        if "float32" in check.engine:
            assert check.largest_difference < 0.02 * max(1.0, check.scale), check


@pytest.mark.parametrize("name", ["gate", "malignancy"])
def test_the_check_sees_a_wrong_graph(exported: Exported, name: str) -> None:
    folder, parts, gate, heads = exported
    width = STATISTICS if name == "gate" else 256
    other = MLPHead(2, torch.ones(width), torch.ones(width), (8,)).eval()
    gate, heads = (other, heads) if name == "gate" else (gate, heads | {name: other})
    checks = checks_of(parts, gate, heads, folder)
    wrong = {check.output for check in checks if check.largest_difference > 0.05 and "float32" in check.engine}
    assert wrong == {name}


@pytest.mark.parametrize(("prompts", "points"), [(1, 1), (5, 2), (2, 4)])
def test_the_decoder_takes_any_number_of_prompts(exported: Exported, prompts: int, points: int) -> None:
    folder, parts, *_ = exported
    inputs = {
        "embedding": torch.rand(1, 256, 4, 4),
        "points": torch.rand(prompts, points, 2) * 16,
        "labels": torch.ones(prompts, points, dtype=torch.int64),
        PREVIOUS: 5 * torch.randn(prompts, 1, 16, 16),
        HAS_PREVIOUS: (torch.arange(prompts) % 2).float(),
    }
    graph = compile_graph(folder / DECODER, engine="onnxruntime", precision="float32")
    outputs = graph({name: value.numpy() for name, value in inputs.items()})
    with torch.inference_mode():
        masks, _ = parts.decoder(*inputs.values())
    assert outputs["masks"].shape == (prompts, 4, 16, 16)
    assert np.abs(outputs["masks"] - masks.numpy()).max() < 0.02 * max(1.0, float(masks.std()))


def test_the_feature_is_the_weighted_mean_of_the_map() -> None:
    encoder = EncoderWithSummaries(TinyEncoder())
    weights = torch.zeros(1, 1, 4, 4)
    weights[0, 0, 1, 2] = 1
    embedding, feature, _ = encoder(torch.rand(1, 3, 16, 16), weights)
    torch.testing.assert_close(feature, embedding[:, :, 1, 2])


def test_parts_come_from_one_file_in_the_original_names(tmp_path: Path) -> None:
    encoder, decoder = shuffled(TinyViTSam(4)), shuffled(PromptedMaskDecoder(64))
    assert isinstance(encoder, TinyViTSam)
    assert isinstance(decoder, PromptedMaskDecoder)
    state = original_encoder_state(encoder) | original_decoder_state(decoder)
    save_file({name: value.clone() for name, value in state.items()}, tmp_path / "sam.safetensors")
    contract = InputContract(size=64, fit="pad", scaling="imagenet", map_size=4)
    parts = load_parts(encoder_spec("mobilesam"), tmp_path / "sam.safetensors", contract)
    assert not parts.encoder.training
    assert parts.decoder.input_size == 64
    for ours, theirs in ((parts.encoder.encoder, encoder), (parts.decoder, decoder)):
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_what_is_written_loads(exported: Exported) -> None:
    folder, *_ = exported
    description = Bundle.default().description.model_copy(
        update={"mask_network": None, "familiarity": None, "modes": {}}
    )
    write_bundle(description, folder)
    loaded = Bundle.load(folder)
    assert isinstance(loaded.description, BundleDescription)
    assert loaded.description == description
    assert loaded.fingerprint != Bundle.default().fingerprint
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "SHA256SUMS",
        "bundle.json",
        DECODER,
        ENCODER,
        GATE,
        HEADS,
    ]
