from __future__ import annotations

import numpy as np
import pytest

from dermoscope.bundle import Bundle
from dermoscope.images import ImageError
from dermoscope.mask_model import Clock, MaskModel, decoded, distribution
from dermoscope.segment.prompts import box_prompt, clicks


def test_from_pixels_to_logits() -> None:
    bundle = Bundle.default()
    model = MaskModel(bundle, engine="onnxruntime", precision="float32", threads=1, streams=1)
    rgb = np.full((60, 80, 3), (210, 160, 140), np.uint8)
    encoded = model.encode(rgb)
    assert encoded.embedding.shape[:2] == (1, 256)
    gate = model.judge_skin(encoded)
    assert gate.is_skin == (gate.p_skin >= gate.threshold)
    decode = model.decoder_on(encoded, (60, 80))
    logits, overlaps = decode([box_prompt("box", (10, 10, 50, 40))])
    assert logits.shape == (1, 4, *decode.shape)
    assert overlaps.shape == (1, 4)
    if not decode.takes_previous:
        with pytest.raises(ValueError, match="takes no earlier mask"):
            decode([clicks([[1, 1]], [1], previous=logits[0, 0])])
    assert 0 < model.confidence(0.1) < model.confidence(0.9) < 1


def test_a_distribution_sums_to_one() -> None:
    head = Bundle.default().description.gate.head
    found = distribution(head, {head.output: np.array([[3, -2]], np.float32)})
    assert tuple(found) == head.classes
    assert sum(found.values()) == pytest.approx(1)


def test_arrays_come_as_they_are() -> None:
    rgb = np.zeros((3, 5, 3), np.uint8)
    image = decoded(rgb, max_pixels=1)
    assert image.rgb is rgb
    assert (image.width, image.height) == (5, 3)
    with pytest.raises(ImageError, match=r"an array \(3, 5\) of uint8"):
        decoded(rgb[..., 0], max_pixels=1)


def test_the_clock_keeps_every_stage() -> None:
    clock = Clock()
    with clock("decode"), clock("encode"):
        pass
    assert set(clock.milliseconds) == {"decode", "encode"}
    assert clock.milliseconds["decode"] >= clock.milliseconds["encode"] >= 0


def test_a_mask_network_draws_every_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MaskModel(Bundle.default(), engine="onnxruntime", precision="float32", threads=1, streams=1)
    seen: list[np.ndarray] = []

    def left_third(rgb: np.ndarray) -> np.ndarray:
        seen.append(rgb)
        logits = np.full((30, 30), -2, np.float32)
        logits[:, :10] = 6
        return logits

    monkeypatch.setattr(model, "_network", left_third)
    rgb = np.full((60, 60, 3), (210, 160, 140), np.uint8)
    rgb[:, :10] = 40
    view = np.ones((60, 60), bool)
    decode = model.decoder_on(model.encode(rgb), (60, 60))
    once = model.find_lesion(rgb, rgb, view, decode)
    both = model.find_lesion(rgb, rgb, view, decode, ("original", "hflip"))
    assert [image[0, 0, 0] for image in seen] == [40, 40, 210]
    assert once.logits is not None
    assert both.logits is not None
    assert (once.logits[0] > 0).tolist() == [True] * 10 + [False] * 20
    assert both.logits[0].tolist() == [2.0] * 10 + [-2.0] * 10 + [2.0] * 10
    assert once.prompt == "no prompt"
    assert 0.5 < once.score < 1
    assert 0.5 < both.score < 1
