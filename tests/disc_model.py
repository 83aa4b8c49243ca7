"""A mask model that can be read: the decoder draws a disc around every click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Gate
from dermoscope.bundle import Bundle
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.engine import Arrays
from dermoscope.images import DecodedImage
from dermoscope.mask_model import Clock, EncodedImage, MaskModel, ReadyImage, SeenImage
from dermoscope.open_image import MaskOptions, OpenImage
from dermoscope.segment.flips import Flip, flip_pixels
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS, PromptedDecoder


def asked_with_boxes(bundle: Bundle) -> Bundle:
    """The same bundle, whose decoder finds lesions by itself from boxes around salient colour."""
    decoder = bundle.description.decoder.model_copy(update={"prompts": "saliency boxes"})
    parts = bundle.description.model_copy(update={"decoder": decoder, "mask_network": None})
    return Bundle(bundle.folder, parts, bundle.fingerprint)


WIDTH, HEIGHT = 512, 384
SIDE = 128
CONTRACT = InputContract(size=128, fit="pad", scaling="min-max", map_size=32)
BOXED = asked_with_boxes(Bundle.default())
SPARSE = ("embedding", "points", "labels")


class Discs:
    """A decoder: a disc around every click on the lesion, none where a background click lies, and the box filled."""

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs
        self.given: dict[str, NDArray[Any]] = {}

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        self.given = dict(inputs)
        rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        count = len(inputs["points"])
        masks = np.full((count, 4, SIDE, SIDE), -5, np.float32)
        for number in range(count):
            points, labels = inputs["points"][number], inputs["labels"][number]
            for (x, y), label in zip(points, labels, strict=True):
                disc = 10 - np.hypot(columns - x, rows - y)
                if label == 1:
                    masks[number] = np.maximum(masks[number], disc)
                elif label == 0:
                    masks[number] = np.minimum(masks[number], -disc)
            if 2 in labels:
                (left, top), (right, bottom) = points[list(labels).index(2)], points[list(labels).index(3)]
                inside = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
                masks[number][:, inside] = 4
        return {"masks": masks, "overlaps": np.tile(np.array([0.9, 0.5, 0.5, 0.5], np.float32), (count, 1))}


class DiscModel(MaskModel):
    """Everything is skin, unless told otherwise; the mask is a disc around every click."""

    def __init__(self, *, previous: bool = True, is_skin: bool = True) -> None:
        self.graph = Discs((*SPARSE, PREVIOUS, HAS_PREVIOUS) if previous else SPARSE)
        self.is_skin = is_skin
        self.passes = 0
        self._parts, self._network = BOXED.description, None

    def encode(self, rgb: NDArray[np.uint8]) -> EncodedImage:
        self.passes += 1
        feature = np.random.default_rng(int(rgb.sum())).standard_normal((1, 256)).astype(np.float32)
        return EncodedImage(prepare(rgb, CONTRACT), np.zeros((1, 256, 32, 32), np.float32), feature, feature)

    def judge_skin(self, encoded: EncodedImage) -> Gate:
        assert encoded
        return Gate(is_skin=self.is_skin, p_skin=0.9 if self.is_skin else 0.1, threshold=0.5)

    def decoder_on(self, encoded: EncodedImage, shape: tuple[int, int]) -> PromptedDecoder:
        return PromptedDecoder(self.graph, CONTRACT, encoded.embedding, encoded.prepared, shape)

    def confidence(self, score: float, *, automatic: bool = True) -> float:  # noqa: ARG002 - as the real one
        return score


def skin_with_lesion() -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.full((HEIGHT, WIDTH, 3), (222, 180, 160), np.uint8)
    rgb[np.hypot(columns - 250, rows - 190) < 70] = (110, 65, 45)
    return rgb


def opened(
    options: MaskOptions | None = None,
    *,
    previous: bool = True,
    is_skin: bool = True,
    rgb: NDArray[np.uint8] | None = None,
) -> tuple[OpenImage, DiscModel]:
    """An image behind the model."""
    model = DiscModel(previous=previous, is_skin=is_skin)
    options = options or MaskOptions()
    rgb = skin_with_lesion() if rgb is None else rgb
    flips: tuple[Flip, ...] = ("original", "hflip") if options.flips else ("original",)
    clock = Clock()
    with clock("encode"):
        encoded = {flip: model.encode(flip_pixels(rgb, flip)) for flip in flips}
    image = DecodedImage(rgb, rgb.shape[1], rgb.shape[0], format="")
    seen = SeenImage(ReadyImage.of(image), encoded, model.judge_skin(encoded["original"]))
    return OpenImage(BOXED, model, seen, options, clock=clock), model
