"""The driver calls the decoder once, maps its masks back, and falls back to colour where none survives."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.automatic import FALL_BACK, segment_automatically
from dermoscope.segment.prompts import Prompt
from dermoscope.segment.selection import SelectionRules

SIDE = 112


def picture(width: int, height: int) -> NDArray[np.uint8]:
    rgb = np.full((height, width, 3), (225, 185, 165), np.uint8)
    cv2.circle(rgb, (width // 2, height // 2), height // 5, (110, 70, 50), cv2.FILLED)
    return rgb


class BoxDecoder:
    """A stand-in for the network: fills each box with an ellipse, on a squashed square grid."""

    def __init__(self, width: int, height: int, predicted: float = 0.9) -> None:
        self.scale = np.array([SIDE / width, SIDE / height])
        self.predicted = predicted
        self.calls: list[int] = []

    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.calls.append(len(prompts))
        logits = np.full((len(prompts), 4, SIDE, SIDE), -5, np.float32)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        for index, prompt in enumerate(prompts):
            (left, top), (right, bottom) = prompt.points * self.scale
            x, y, a, b = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
            logits[index][:, ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1] = 5
        return logits, np.full((len(prompts), 4), self.predicted, np.float32)


@pytest.mark.parametrize(("width", "height"), [(256, 192), (1024, 768), (200, 200), (300, 600)])
def test_the_lesion_is_found_at_any_size_with_one_call(width: int, height: int) -> None:
    decode = BoxDecoder(width, height)
    found = segment_automatically(picture(width, height), decode)
    assert decode.calls == [4]
    assert found.logits is not None
    assert found.logits.shape == (SIDE, SIDE)
    mask = cv2.resize(found.logits, (width, height)) > 0
    truth = np.zeros((height, width), np.uint8)
    cv2.circle(truth, (width // 2, height // 2), height // 5, 1, cv2.FILLED)
    assert 2 * (mask & (truth > 0)).sum() / (mask.sum() + truth.sum()) > 0.8
    assert found.prompt in {candidate.prompt for candidate in found.candidates}
    assert 0 < found.score <= 1


def test_the_winner_among_several_tokens_keeps_its_own_logits() -> None:
    decode = BoxDecoder(256, 192)

    def tagged(prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, overlaps = decode(prompts)
        overlaps[:, :] = 0.5
        overlaps[1, 3] = 1.0
        logits[1, 3] *= 2
        return logits, overlaps

    found = segment_automatically(picture(256, 192), tagged, SelectionRules(mask_tokens=(0, 3)))
    assert found.logits is not None
    assert found.prompt == "tight saliency box"
    assert found.logits.max() == 10


def test_colour_stands_in_where_every_mask_is_dropped() -> None:
    found = segment_automatically(picture(256, 192), BoxDecoder(256, 192, predicted=0.1))
    assert found.prompt == FALL_BACK
    assert found.score == 0
    assert not any(candidate.kept for candidate in found.candidates)
    assert found.logits is not None
    mask = cv2.resize(found.logits, (256, 192)) > 0
    assert mask[96, 128]
    assert not mask[10, 10]


def test_nothing_salient_and_no_survivor_means_no_mask() -> None:
    flat = np.full((192, 256, 3), 200, np.uint8)
    found = segment_automatically(flat, BoxDecoder(256, 192, predicted=0.1))
    assert found.logits is None
    assert found.prompt == ""
    assert len(found.candidates) == 4


class SureDecoder:
    """Answers every prompt with the same logits."""

    def __init__(self, level: float) -> None:
        self.logits = np.full((SIDE, SIDE), -5, np.float32)
        self.logits[:, : SIDE // 2] = level
        self.names: list[str] = []

    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.names = [prompt.name for prompt in prompts]
        shape = (len(prompts), 4, SIDE, SIDE)
        return np.broadcast_to(self.logits, shape).copy(), np.full((len(prompts), 4), 0.8, np.float32)


def test_a_decoder_that_needs_no_prompt_is_believed_against_every_rule() -> None:
    decode = SureDecoder(5)
    found = segment_automatically(picture(256, 192), decode, SelectionRules(largest_share=0.1), prompts="no prompt")
    assert decode.names == ["no prompt"]
    assert found.logits is not None
    np.testing.assert_array_equal(found.logits, decode.logits)
    assert found.prompt == "no prompt"
    assert found.score == pytest.approx(0.8)
    assert [candidate.kept for candidate in found.candidates] == [True]


def test_no_lesion_is_an_answer_to_no_prompt() -> None:
    found = segment_automatically(picture(256, 192), SureDecoder(-5), prompts="no prompt")
    assert found.logits is None
    assert found.score == 0
    assert len(found.candidates) == 1


def test_no_prompt_may_compete_with_the_boxes() -> None:
    decode = SureDecoder(5)
    found = segment_automatically(picture(256, 192), decode, prompts="no prompt and saliency boxes")
    assert decode.names[0] == "no prompt"
    assert len(decode.names) == len(found.candidates) == 5
