"""A fine-tuned decoder in the place of the shipped one: the rest stays, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from dermoscope.analyzer import load_analyzer
from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.training.decoder_bundle import ENCODER_WEIGHTS, MaskRunError, bundle_with_decoder
from dermoscope.training.mask_run import DESCRIPTION_NAME, MODEL_NAME, MaskModelDescription
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
    return bundle_with_decoder(run, Bundle.default(), folder / "bundle", images=[picture]), decoder


def test_the_bundle_has_the_new_decoder_and_all_else_of_the_old_one(made: tuple[Bundle, PromptedMaskDecoder]) -> None:
    bundle, _ = made
    old, new = Bundle.default().description, bundle.description
    assert new.name == f"{old.name}-skinsam-decoder"
    assert (new.decoder.prompts, new.decoder.confidence_slope) == ("no prompt", 1.5)
    assert (new.encoder, new.gate, new.heads) == (old.encoder, old.gate, old.heads)
    assert new.provenance["mask decoder"].startswith("recipe skinsam-decoder")
    assert not [metric for metric in new.metrics if metric.name.startswith("mask ")]
    assert len(new.metrics) > 10
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "unet", "trained": "everything"}, r"trained a U-Net"),
        ({"trained": "decoder and lora"}, r"trained another encoder"),
        ({"encoder": "mobilesam"}, r"trained on mobilesam at 112 px \(squash\), the bundle .* has litemedsam"),
        ({"weights_sha256": "0" * 64}, r"other weights of litemedsam"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    run, _ = run_folder(tmp_path / "run", **changes)
    with pytest.raises(MaskRunError, match=message):
        bundle_with_decoder(run, Bundle.default(), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_damaged_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "new")]) == 1
    assert "holds no finished run for masks" in capsys.readouterr().err
    run, _ = run_folder(tmp_path / "run")
    (run / MODEL_NAME).write_bytes(b"\0" * 100)
    assert main(["export", str(run), "--out", str(tmp_path / "new")]) == 1
    assert "model.safetensors is damaged" in capsys.readouterr().err
    assert main(["export", str(run), "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
