"""What a run for masks trained, in a bundle: the rest stays, and what does not fit is refused."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dermoscope.analyzer import load_analyzer
from dermoscope.batch.errors import OutputError
from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.encoders.inputs import input_contract, prepare
from dermoscope.encoders.registry import encoder_spec
from dermoscope.segment.confidence import believed_overlap, expected_overlap
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.selection import stability_score
from dermoscope.segment.unet import UNet
from dermoscope.segmenter import load_segmenter
from dermoscope.training.export import ENGINES
from dermoscope.training.mask_bundle import ENCODER_WEIGHTS, bundle_with_masks
from dermoscope.training.mask_model_file import DESCRIPTION_NAME, MODEL_NAME, MaskModelDescription, MaskRunError
from tests.data.leakage.planted import lesion_picture
from tests.sam_states import shuffled

# torch.export warns about itself.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:.isinstance\(treespec, LeafSpec\):FutureWarning"),
    pytest.mark.filterwarnings("ignore:# The axis name:UserWarning"),
]


def description(**changes: object) -> MaskModelDescription:
    base = Bundle.default().description
    settings: dict[str, object] = {
        "recipe": "skinsam-decoder",
        "kind": "sam",
        "trained": "decoder",
        "encoder": base.encoder.name,
        "contract": base.encoder.input,
        "weights_sha256": base.provenance[ENCODER_WEIGHTS],
        "confidence_slope": 1.5,
        "confidence_intercept": 0.25,
        "licence": "Apache-2.0",
    }
    return MaskModelDescription.model_validate(settings | changes)


def run_folder(folder: Path, **changes: object) -> tuple[Path, PromptedMaskDecoder]:
    """A run as `train_masks` leaves it, of random weights."""
    given = description(**changes)
    decoder = shuffled(PromptedMaskDecoder(given.contract.size))
    assert isinstance(decoder, PromptedMaskDecoder)
    folder.mkdir()
    save_file({f"decoder.{key}": value.clone() for key, value in decoder.state_dict().items()}, folder / MODEL_NAME)
    (folder / DESCRIPTION_NAME).write_text(given.model_dump_json())
    return folder, decoder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, PromptedMaskDecoder]:
    folder = tmp_path_factory.mktemp("export")
    run, decoder = run_folder(folder / "run")
    picture = lesion_picture(0)
    return bundle_with_masks(run, Bundle.default(), folder / "bundle", images=[picture]), decoder


def test_the_bundle_has_the_new_decoder_and_all_else_of_the_old_one(made: tuple[Bundle, PromptedMaskDecoder]) -> None:
    bundle, _ = made
    old, new = Bundle.default().description, bundle.description
    assert new.name == f"{old.name}-skinsam-decoder"
    assert (new.decoder.prompts, new.decoder.confidence_slope) == ("no prompt", 1.5)
    assert (new.encoder, new.gate, new.heads) == (old.encoder, old.gate, old.heads)
    assert new.provenance["mask decoder"].startswith("recipe skinsam-decoder")
    assert new.mask_network is None
    assert not (bundle.folder / "mask_network.onnx").exists()
    assert not [line for line in new.training_data if line.startswith("mask network")]
    assert "mask network" not in new.provenance
    assert not [check for check in new.graph_checks if check.graph == "mask_network.onnx"]
    assert not [metric for metric in new.metrics if metric.name.startswith(("mask ", "mode "))]
    assert len(new.metrics) > 5
    for graph in ("encoder.onnx", "gate.onnx", "heads.onnx"):
        assert (bundle.folder / graph).read_bytes() == (Bundle.default().folder / graph).read_bytes()


def test_every_engine_agrees_with_torch(made: tuple[Bundle, PromptedMaskDecoder]) -> None:
    checks = [check for check in made[0].description.graph_checks if check.graph == "decoder.onnx"]
    assert len(checks) == 6
    for check in checks:
        tolerance = 0.2 if "fastest" in check.engine else 0.02
        assert check.largest_difference < tolerance * max(check.scale, 1.0), check


def test_images_are_analysed_with_it(made: tuple[Bundle, PromptedMaskDecoder]) -> None:
    outcome = load_analyzer(made[0].folder, precision="float32").analyze(lesion_picture(1))
    assert outcome.analysis.mask is None or outcome.analysis.mask.prompt == "no prompt"


def unet_run(folder: Path) -> tuple[Path, UNet]:
    """The run of a U-Net of random weights, as `train_masks` leaves it."""
    encoder = "tf_efficientnet_lite0"
    contract = input_contract(encoder_spec(encoder), 64, "squash")
    given = description(kind="unet", trained="everything", encoder=encoder, contract=contract, images={"clinic": 12})
    torch.manual_seed(3)
    network = UNet(encoder).eval()
    with torch.inference_mode():  # so that it marks a part of a picture, and not all of it
        logits = network(torch.from_numpy(prepare(lesion_picture(1), contract).image))
    assert network.classifier.bias is not None
    network.classifier.bias.data -= logits.median()
    folder.mkdir()
    state = {f"network.{key}": value.contiguous() for key, value in network.state_dict().items()}
    save_file(state, folder / MODEL_NAME)
    (folder / DESCRIPTION_NAME).write_text(given.model_dump_json())
    return folder, network


@pytest.fixture(scope="module")
def with_network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, UNet]:
    folder = tmp_path_factory.mktemp("network")
    run, network = unet_run(folder / "run")
    return bundle_with_masks(run, Bundle.default(), folder / "bundle", images=[lesion_picture(0)]), network


def test_a_network_joins_the_decoder(with_network: tuple[Bundle, UNet]) -> None:
    bundle, _ = with_network
    old, new = Bundle.default().description, bundle.description
    assert new.mask_network is not None
    assert (new.mask_network.name, new.mask_network.input.size) == ("tf_efficientnet_lite0", 64)
    assert new.decoder == old.decoder
    assert "mask network: 12 images of clinic" in new.training_data
    assert new.provenance["mask network"].startswith("recipe skinsam-decoder")
    checks = [check for check in new.graph_checks if check.graph == new.mask_network.graph]
    assert [check.engine for check in checks] == [label for label, *_ in ENGINES]
    for check in checks:
        assert check.largest_difference < (0.2 if "fastest" in check.engine else 0.02) * max(check.scale, 1.0), check
    assert "A U-Net of its own" in (bundle.folder / "README.md").read_text()


def test_it_draws_where_nobody_gives_a_prompt(with_network: tuple[Bundle, UNet]) -> None:
    bundle, network = with_network
    picture = lesion_picture(1)
    assert bundle.description.mask_network is not None
    image = prepare(picture, bundle.description.mask_network.input).image
    with torch.inference_mode():
        logits = network(torch.from_numpy(image))[0].numpy()
    expected = finish_mask(logits, picture.shape[1], picture.shape[0])
    assert expected is not None
    segmenter = load_segmenter(bundle.folder, precision="float32")
    opened = segmenter.open(picture)
    found = opened.segment()
    assert found.mask is not None
    assert 0.05 < expected.mask.mean() < 0.95
    assert (found.mask == expected.mask).mean() > 0.97
    assert (found.mask[:, ::-1] == expected.mask).mean() < 0.9
    assert found.prompt == "no prompt"
    assert found.confidence == pytest.approx(
        expected_overlap(believed_overlap(logits) * stability_score(logits, 1.0), 1.5, 0.25), abs=0.01
    )
    corrected = opened.refine([(40, 40)], [1])
    assert corrected.prompt == "clicks"
    analysed = load_analyzer(bundle.folder, precision="float32").analyze(picture)
    assert analysed.analysis.gate is not None
    assert analysed.analysis.gate.is_skin == (analysed.mask is not None)


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run, _ = run_folder(tmp_path / "run")
    monkeypatch.setattr("dermoscope.training.mask_bundle.write_bundle", full)
    with pytest.raises(OutputError, match="free some space"):
        bundle_with_masks(run, Bundle.default(), tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained": "decoder and lora"}, r"trained decoder and lora of litemedsam, and a bundle keeps its encoder"),
        ({"encoder": "sam2_hiera_tiny"}, r"trained decoder of sam2_hiera_tiny, and a bundle keeps its encoder"),
        ({"encoder": "mobilesam"}, r"trained on mobilesam at 112 px \(squash\), the bundle .* has litemedsam"),
        ({"weights_sha256": "0" * 64}, r"other weights of litemedsam"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    run, _ = run_folder(tmp_path / "run", **changes)
    with pytest.raises(MaskRunError, match=message):
        bundle_with_masks(run, Bundle.default(), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_command_says_that_modes_know_other_outlines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = run_folder(tmp_path / "run")
    assert main(["export", str(run), "--out", str(tmp_path / "new")]) == 0
    assert "Its modes (best, fast) were fitted on other outlines than it draws now" in capsys.readouterr().out


def test_a_damaged_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "new")]) == 1
    assert "holds no finished run for masks" in capsys.readouterr().err
    run, _ = run_folder(tmp_path / "run")
    (run / MODEL_NAME).write_bytes(b"\0" * 100)
    assert main(["export", str(run), "--out", str(tmp_path / "new")]) == 1
    assert "model.safetensors is damaged" in capsys.readouterr().err
    assert main(["export", str(run), "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
