"""Checkpoints come from strangers: good ones become safetensors, all others are refused, and none runs code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import EncoderSpec, encoder_spec
from dermoscope.encoders.sam2_hiera import sam2_model
from dermoscope.encoders.sam_vit import sam_model
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.encoders.weights import WeightsError
from dermoscope.files import sha256_of
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.training.checkpoints import import_checkpoint
from tests.encoders.original_states import original_sam, original_sam2
from tests.encoders.tiny import HIERA, TINY, VIT, random_encoder, random_images, state_of
from tests.sam_states import original_decoder_state, original_encoder_state, shuffled

MOBILESAM = encoder_spec("mobilesam")


class Touch:
    """A pickle of this creates a file when it is read by a careless program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    encoder, decoder = shuffled(TinyViTSam(4)), shuffled(PromptedMaskDecoder(64))
    assert isinstance(encoder, TinyViTSam)
    assert isinstance(decoder, PromptedMaskDecoder)
    return original_encoder_state(encoder) | original_decoder_state(decoder)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_a_checkpoint_becomes_safetensors(wrapper: str | None, state: dict[str, Tensor], tmp_path: Path) -> None:
    checkpoint, out = tmp_path / "mobile_sam.pt", tmp_path / "weights" / "mobilesam.safetensors"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, checkpoint)
    notes = import_checkpoint(checkpoint, MOBILESAM, out)
    assert notes == {
        "encoder": "mobilesam",
        "licence": "Apache-2.0",
        "source": MOBILESAM.source,
        "original_sha256": sha256_of(checkpoint),
    }
    with safe_open(out, "pt") as stored:
        assert json.loads(stored.metadata()["dermoscope"]) == notes
    loaded = load_file(out)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_tensors_that_share_memory_are_stored_apart(state: dict[str, Tensor], tmp_path: Path) -> None:
    shared = state | {"extra": state["image_encoder.neck.0.weight"][:2], "more": state["image_encoder.neck.0.weight"]}
    torch.save(shared, tmp_path / "a.pt")
    import_checkpoint(tmp_path / "a.pt", MOBILESAM, tmp_path / "a.safetensors")
    assert torch.equal(load_file(tmp_path / "a.safetensors")["extra"], shared["extra"])


@pytest.mark.parametrize("old_format", [False, True])
def test_code_in_a_checkpoint_is_refused_and_never_runs(old_format: bool, tmp_path: Path) -> None:
    checkpoint, trace, out = tmp_path / "evil.pt", tmp_path / "trace", tmp_path / "out.safetensors"
    torch.save({"model": Touch(trace)}, checkpoint, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(WeightsError, match=r"evil\.pt is not a plain torch checkpoint"):
        import_checkpoint(checkpoint, MOBILESAM, out)
    assert not trace.exists()
    assert not out.exists()


def test_a_bare_pickle_is_refused_and_never_runs(tmp_path: Path) -> None:
    checkpoint, trace = tmp_path / "evil.pt", tmp_path / "trace"
    checkpoint.write_bytes(pickle.dumps(Touch(trace)))
    with pytest.raises(WeightsError, match=r"evil\.pt"):
        import_checkpoint(checkpoint, MOBILESAM, tmp_path / "out.safetensors")
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x80\x02",
        b"\x80\x04.",
        b"PK\x03\x04" + bytes(100),
        b"\x89PNG\r\n\x1a\n",
        b"<html>404</html>",
        bytes(1000),
        bytes(range(256)) * 8,
        b"\x80\x02h\x05.",
        b"(R.",
    ],
    ids=lambda content: repr(content[:8]),
)
def test_files_of_other_kinds_are_refused(content: bytes, tmp_path: Path) -> None:
    checkpoint = tmp_path / "not_weights.pt"
    checkpoint.write_bytes(content)
    with pytest.raises(WeightsError, match=r"not_weights\.pt"):
        import_checkpoint(checkpoint, MOBILESAM, tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["not_weights.pt"]


@pytest.mark.parametrize("content", [[1, 2], {"model": [1]}, {"a": 1}, torch.ones(2)], ids=["list", "in", "int", "one"])
def test_anything_but_a_dictionary_of_tensors_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match=r"odd\.pt holds no dictionary of tensors"):
        import_checkpoint(tmp_path / "odd.pt", MOBILESAM, tmp_path / "out.safetensors")


def test_a_cut_file_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    checkpoint = tmp_path / "half.pt"
    torch.save(state, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(WeightsError, match=r"half\.pt is not a plain torch checkpoint"):
        import_checkpoint(checkpoint, MOBILESAM, tmp_path / "out.safetensors")


def test_a_checkpoint_of_another_architecture_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "mobile_sam.pt")
    out = tmp_path / "litemedsam.safetensors"
    with pytest.raises(WeightsError, match=r"mobile_sam\.pt does not fit the encoder of litemedsam: .*size mismatch"):
        import_checkpoint(tmp_path / "mobile_sam.pt", encoder_spec("litemedsam"), out)
    assert not out.exists()


def test_a_checkpoint_without_an_encoder_is_refused(tmp_path: Path) -> None:
    torch.save({"mask_decoder.iou_token.weight": torch.ones(1, 256)}, tmp_path / "decoder.pt")
    with pytest.raises(WeightsError, match=r"decoder\.pt does not fit the encoder of mobilesam: .*Missing key"):
        import_checkpoint(tmp_path / "decoder.pt", MOBILESAM, tmp_path / "out.safetensors")


def test_a_checkpoint_without_its_whole_mask_decoder_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({k: v for k, v in state.items() if k != "mask_decoder.iou_token.weight"}, tmp_path / "encoder.pt")
    with pytest.raises(WeightsError, match=r"encoder\.pt does not fit the mask decoder of mobilesam: "):
        import_checkpoint(tmp_path / "encoder.pt", MOBILESAM, tmp_path / "out.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt is not a file"):
        import_checkpoint(tmp_path / "nowhere.pt", MOBILESAM, tmp_path / "out.safetensors")


def original_of(name: str) -> tuple[EncoderSpec, dict[str, Tensor]]:
    """A whole random checkpoint in the authors' names; the encoder's part is that of `random_encoder`."""
    spec, _ = TINY[name]
    own = state_of(random_encoder(spec))
    if name not in ("sam", "sam2"):
        return spec, own
    model = sam2_model(HIERA) if name == "sam2" else sam_model(VIT)
    state = {key: torch.zeros(value.shape) for key, value in model.state_dict().items()} | own
    return spec, original_sam2(state) if name == "sam2" else original_sam(state)


@pytest.mark.parametrize("name", ["sam", "sam2", "cnn", "transformer"])
def test_an_imported_checkpoint_is_the_encoder_it_was(name: str, tmp_path: Path) -> None:
    spec, original = original_of(name)
    torch.save({"model": original}, tmp_path / "original.pt")
    out = tmp_path / f"{spec.name}.safetensors"
    assert import_checkpoint(tmp_path / "original.pt", spec, out)["encoder"] == spec.name
    images = random_images(1, TINY[name][1])
    with torch.inference_mode():
        torch.testing.assert_close(load_encoder(spec, out)(images), random_encoder(spec)(images))


@pytest.mark.parametrize(("name", "video"), [("sam2", "maskmem_tpos_enc"), ("sam", "pixel_mean")])
def test_what_masks_need_is_kept_and_nothing_else(name: str, video: str, tmp_path: Path) -> None:
    spec, original = original_of(name)
    assert video in original
    torch.save(original, tmp_path / "original.pt")
    import_checkpoint(tmp_path / "original.pt", spec, tmp_path / "a.safetensors")
    model = sam2_model(HIERA) if name == "sam2" else sam_model(VIT)
    assert load_file(tmp_path / "a.safetensors").keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("sam2", "image_encoder.trunk.blocks.1.attn.qkv.weight"),
        ("sam2", "sam_mask_decoder.iou_token.weight"),
        ("sam", "image_encoder.neck.0.weight"),
        ("sam", "prompt_encoder.point_embeddings.3.weight"),
        ("cnn", "conv_stem.weight"),
    ],
)
def test_a_checkpoint_that_lacks_a_tensor_is_refused(name: str, lost: str, tmp_path: Path) -> None:
    spec, original = original_of(name)
    del original[lost]
    torch.save(original, tmp_path / "original.pt")
    with pytest.raises(WeightsError, match=rf"original\.pt does not fit the encoder of {spec.name}: .*Missing key"):
        import_checkpoint(tmp_path / "original.pt", spec, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_a_larger_sibling_is_refused(tmp_path: Path) -> None:
    _, original = original_of("sam2")
    torch.save(original, tmp_path / "original.pt")
    with pytest.raises(WeightsError, match="does not fit the encoder of sam2_hiera_tiny"):
        import_checkpoint(tmp_path / "original.pt", encoder_spec("sam2_hiera_tiny"), tmp_path / "a.safetensors")
