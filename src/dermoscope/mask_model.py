"""The part of a bundle that masks need, and the first steps from a file to a mask. Analyzer and segmenter share it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Gate
from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Head
from dermoscope.encoders.inputs import EncoderInput, prepare
from dermoscope.engine import EngineError, EngineName, Precision, cache_folder, compile_graph
from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.images import (
    DecodedImage,
    ImageError,
    decode,
    field_of_view,
    grain_level,
    without_frame,
    without_grain,
    working_copy,
)
from dermoscope.segment.automatic import AutomaticMask, Decode, as_drawn, segment_automatically
from dermoscope.segment.confidence import expected_overlap
from dermoscope.segment.flips import Flip, flip_pixels
from dermoscope.segment.mask_network import MaskNetwork
from dermoscope.segment.prompted_decoder import PromptedDecoder

Image = NDArray[np.uint8]

# Masks and pictures gain nothing from more pixels than this on the long side while they are being computed; JPEG files
# far above it are decoded at a fraction of their size.
_DECODED_SIDE = 1024


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """One image behind the encoder.

    Attributes:
        prepared: What went in.
        embedding: `[1, 256, map, map]`, for the mask decoder.
        feature: `[1, F]`, for the heads.
        statistics: `[1, S]`, for the skin gate.
    """

    prepared: EncoderInput
    embedding: NDArray[np.float32]
    feature: NDArray[np.float32]
    statistics: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ReadyImage:
    """One image, ready to be looked at.

    Attributes:
        image: As it came, which is how people see it.
        grain: Its `grain_level`.
        rgb: Its pixels `without_grain`: what models and measures see.
        small: The `working_copy` of these.
        view: The field of view of that.
    """

    image: DecodedImage
    grain: float
    rgb: Image
    small: Image
    view: NDArray[np.bool_]

    @classmethod
    def of(cls, image: DecodedImage) -> ReadyImage:
        """Make one ready."""
        grain = grain_level(image.rgb)
        rgb = without_grain(image.rgb, grain)
        small = working_copy(rgb)
        return cls(image, grain, rgb, small, field_of_view(small))

    @property
    def unframed(self) -> Image:
        """What the encoder sees: the frame, if there is one, painted."""
        return without_frame(self.rgb, self.view)


@dataclass(frozen=True, eq=False)
class SeenImage:
    """One image with everything that its masks are made from.

    Attributes:
        ready: Its pixels.
        encoded: What the encoder says of it, and of its mirror images where they are asked too.
        gate: Skin or not.
    """

    ready: ReadyImage
    encoded: Mapping[Flip, EncodedImage]
    gate: Gate


class MaskModel:
    """Encoder, what makes masks, and skin gate of a bundle, compiled once. Safe to use from several threads.

    Args:
        bundle: The model.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        EngineError: If no engine can run the bundle's graphs.
    """

    def __init__(
        self, bundle: Bundle, *, engine: EngineName | None, precision: Precision, threads: int, streams: int
    ) -> None:
        self._parts = parts = bundle.description
        self._encoder, self._decoder = (
            compile_graph(bundle.graph_path(part), engine=engine, precision=precision, threads=threads, streams=streams)
            for part in (parts.encoder, parts.decoder)
        )
        network = parts.mask_network
        self._network = None
        if network:
            graph = compile_graph(
                bundle.graph_path(network), engine=engine, precision=precision, threads=threads, streams=streams
            )
            self._network = MaskNetwork(graph, network.input)
        # Float32 keeps the probability equal across machines, and costs next to nothing here.
        self._gate = compile_graph(
            bundle.graph_path(parts.gate), engine=engine, precision="float32", threads=threads, streams=streams
        )

    def encode(self, rgb: Image) -> EncodedImage:
        """Run the encoder once.

        Args:
            rgb: `[H, W, 3]`, 8-bit.

        Raises:
            EngineError: If its numbers are not finite, from which every image would look like no skin.
        """
        prepared = prepare(rgb, self._parts.encoder.input)
        encoded = self._encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})
        if not np.isfinite(encoded["statistics"]).all():
            raise EngineError(
                f"the encoder's numbers are not finite on this machine; try --precision float32, or remove "
                f"{cache_folder()}"
            )
        return EncodedImage(prepared, encoded["embedding"], encoded["feature"], encoded["statistics"])

    def judge_skin(self, encoded: EncodedImage) -> Gate:
        """Whether it is skin at all."""
        part = self._parts.gate
        p_skin = distribution(part.head, self._gate({"statistics": encoded.statistics}))["skin"]
        return Gate(is_skin=p_skin >= part.point.threshold, p_skin=p_skin, threshold=part.point.threshold)

    def decoder_on(self, encoded: EncodedImage, shape: tuple[int, int]) -> PromptedDecoder:
        """The mask decoder on one image.

        Args:
            encoded: The image.
            shape: Height and width in pixels of the image that prompts are given on.
        """
        return PromptedDecoder(self._decoder, self._parts.encoder.input, encoded.embedding, encoded.prepared, shape)

    def find_lesion(
        self,
        rgb: Image,
        small: Image,
        view: NDArray[np.bool_],
        decode: Decode,
        flips: Sequence[Flip] = ("original",),
    ) -> AutomaticMask:
        """Outline the lesion where nobody gives a prompt: with the bundle's mask network, or by asking the decoder.

        Args:
            rgb: The image `[H, W, 3]`, 8-bit.
            small: Its `working_copy`.
            view: The field of view of that.
            decode: The decoder on the image, with prompts in pixels of `small`.
            flips: Flips that a mask network draws and takes the mean of; a decoder brings its own.
        """
        part = self._parts.decoder
        if self._network is None:
            return segment_automatically(small, decode, part.rules, view=view, prompts=part.prompts)
        drawn = [flip_pixels(self._network(flip_pixels(rgb, flip)), flip) for flip in flips]
        return as_drawn(np.asarray(np.mean(drawn, axis=0), np.float32), small, view, part.rules)

    def confidence(self, score: float, *, automatic: bool = True) -> float:
        """Expected Dice overlap of a mask with the truth, 0 to 1.

        Args:
            score: Its score, 0 to 1.
            automatic: Whether `find_lesion` made it; if not, the decoder did, from what a person gave.
        """
        network = self._parts.mask_network
        part = network if automatic and network else self._parts.decoder
        return expected_overlap(score, part.confidence_slope, part.confidence_intercept)


class Clock:
    """Milliseconds of named stages."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure the block as one stage."""
        start = time.perf_counter()
        yield
        self.milliseconds[stage] = round((time.perf_counter() - start) * 1e3, 3)


def decoded(source: str | Path | bytes | Image, max_pixels: int, frame: int = 1) -> DecodedImage:
    """The pixels of a source.

    Args:
        source: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
        max_pixels: Files with more pixels are refused by their header.
        frame: Which frame of a DICOM file, from 1.

    Raises:
        ImageError: If the source cannot be read as an image.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or not source.size:
            raise ImageError("image", f"is an array {source.shape} of {source.dtype}, not [H, W, 3] of uint8")
        return DecodedImage(source, source.shape[1], source.shape[0], format="")
    return decode(source, frame=frame, max_pixels=max_pixels, max_side=_DECODED_SIDE)


def distribution(head: Head, logits: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    """Calibrated probability of each class of a head; sums to 1.

    Args:
        head: The head.
        logits: What its graph returned for one image.
    """
    calibration = head.calibration
    probabilities = calibrated_probabilities(
        logits[head.output][0], calibration.temperature, np.array(calibration.bias)
    )
    return dict(zip(head.classes, probabilities.tolist(), strict=True))
