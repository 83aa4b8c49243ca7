from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.encoders.inputs import Fit, InputContract, prepare
from dermoscope.engine import Arrays
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS, PromptedDecoder
from dermoscope.segment.prompts import box_prompt, click_prompt, clicks, no_prompt


class Recorder:
    """A stand-in for the graph: keeps what it is given and numbers the pixels of its masks."""

    def __init__(self, map_size: int, inputs: tuple[str, ...]) -> None:
        self.side = 4 * map_size
        self.inputs = inputs
        self.given: dict[str, NDArray[Any]] = {}

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        self.given = dict(inputs)
        count = len(inputs["points"])
        masks = np.broadcast_to(
            np.arange(self.side**2, dtype=np.float32).reshape(self.side, -1), (count, 4, *[self.side] * 2)
        )
        return {"masks": masks, "overlaps": np.full((count, 4), 0.5, np.float32)}


SPARSE = ("embedding", "points", "labels")


def decoder_on(
    width: int, height: int, fit: Fit, inputs: tuple[str, ...] = (*SPARSE, PREVIOUS, HAS_PREVIOUS)
) -> tuple[PromptedDecoder, Recorder]:
    contract = InputContract(size=128, fit=fit, scaling="min-max", map_size=32)
    prepared = prepare(np.zeros((height, width, 3), np.uint8), contract)
    graph = Recorder(32, inputs)
    embedding = np.ones((1, 256, 32, 32), np.float32)
    return PromptedDecoder(graph, contract, embedding, prepared, (height, width)), graph


@pytest.mark.parametrize(
    ("width", "height", "fit", "scale", "cells"),
    [
        (256, 128, "pad", (0.5, 0.5), (64, 128)),
        (128, 256, "pad", (0.5, 0.5), (128, 64)),
        (256, 64, "squash", (0.5, 2.0), (128, 128)),
        (1280, 8, "pad", (0.1, 0.125), (1, 128)),
    ],
)
def test_prompts_move_to_the_encoders_square_and_padding_is_cut_off(
    width: int, height: int, fit: Fit, scale: tuple[float, float], cells: tuple[int, int]
) -> None:
    decode, graph = decoder_on(width, height, fit)
    masks, overlaps = decode([box_prompt("a box", (10, 2, 60, 6))])
    np.testing.assert_allclose(graph.given["points"], [[np.multiply((10, 2), scale), np.multiply((60, 6), scale)]])
    assert graph.given["labels"].tolist() == [[2, 3]]
    assert masks.shape == (1, 4, *cells)
    assert overlaps.shape == (1, 4)
    # The upper left corner is what stays.
    assert masks[0, 0, 0, 0] == 0
    assert masks[0, 0, -1, -1] == (cells[0] - 1) * 128 + cells[1] - 1


def test_prompts_of_different_length_share_a_batch() -> None:
    decode, graph = decoder_on(128, 128, "squash")
    masks, _ = decode([click_prompt("a click", 30, 40), box_prompt("a box", (1, 2, 3, 4))])
    assert graph.given["labels"].tolist() == [[1, -1], [2, 3]]
    assert graph.given["labels"].dtype == np.int64
    assert graph.given["points"].dtype == np.float32
    assert graph.given["points"].tolist() == [[[30, 40], [0, 0]], [[1, 2], [3, 4]]]
    assert len(masks) == 2


def test_a_single_click_is_filled_up_as_the_decoder_was_trained() -> None:
    decode, graph = decoder_on(128, 128, "squash")
    decode([click_prompt("a click", 30, 40)])
    assert graph.given["labels"].tolist() == [[1, -1]]


def test_no_prompt_is_a_row_of_padding() -> None:
    decode, graph = decoder_on(128, 128, "squash")
    decode([no_prompt()])
    assert graph.given["labels"].tolist() == [[-1, -1]]
    assert graph.given[HAS_PREVIOUS].tolist() == [0]


def test_an_earlier_mask_goes_back_to_where_the_image_lies_in_the_square() -> None:
    decode, graph = decoder_on(256, 128, "pad")
    masks, _ = decode([no_prompt()])
    decode([clicks([[4, 4]], [1]), clicks([[4, 4]], [0], previous=masks[0, 0])])
    assert graph.given[HAS_PREVIOUS].tolist() == [0, 1]
    assert not graph.given[PREVIOUS][0].any()
    np.testing.assert_array_equal(graph.given[PREVIOUS][1, 0, :64], masks[0, 0])
    assert not graph.given[PREVIOUS][1, 0, 64:].any()


def test_a_decoder_of_an_older_bundle_takes_no_earlier_mask() -> None:
    decode, graph = decoder_on(128, 128, "squash", SPARSE)
    masks, _ = decode([no_prompt()])
    assert set(graph.given) == set(SPARSE)
    with pytest.raises(ValueError, match=r"takes no earlier mask"):
        decode([clicks([[4, 4]], [1], previous=masks[0, 0])])
