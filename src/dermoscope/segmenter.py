"""Masks alone: found without a prompt, made from clicks and a box, and corrected click by click."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dermoscope.bundle import Bundle, named_bundle
from dermoscope.engine import EngineName, Precision
from dermoscope.images import MAX_PIXELS
from dermoscope.mask_model import Clock, MaskModel, ReadyImage, SeenImage, decoded
from dermoscope.open_image import MaskOptions, OpenImage
from dermoscope.segment.flips import Flip, flip_pixels
from dermoscope.segment.user_prompts import PromptError, UserBox
from dermoscope.segmentation import Segmentation

Image = NDArray[np.uint8]


class Segmenter:
    """Makes masks with one bundle, loaded once. Safe to use from several threads.

    Args:
        bundle: The model.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.
        max_pixels: Files with more pixels are refused by their header.
        options: How masks are made.

    Raises:
        EngineError: If no engine can run the bundle's graphs.

    Example:
        >>> import dermoscope
        >>> segmenter = dermoscope.load_segmenter()
        >>> image = segmenter.open("examples/images/synthetic_red_lagoons_light_skin.jpg")  # doctest: +SKIP
        >>> image.segment().area_fraction, image.refine([(260, 180)], [1]).area_fraction  # doctest: +SKIP
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        engine: EngineName | None = None,
        precision: Precision = "auto",
        threads: int = 0,
        streams: int = 1,
        max_pixels: int = MAX_PIXELS,
        options: MaskOptions | None = None,
    ) -> None:
        self.bundle = bundle
        self.options = options or MaskOptions()
        self._max_pixels = max_pixels
        self._model = MaskModel(bundle, engine=engine, precision=precision, threads=threads, streams=streams)

    def segment(
        self,
        source: str | Path | bytes | Image,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: UserBox | None = None,
        frame: int = 1,
    ) -> Segmentation:
        """Segment one image: by itself, or from clicks and a box if any are given.

        Args:
            source: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
            points: Clicks `[P, 2]`, x and y in pixels of the original image.
            labels: `[P]`, 1 on the lesion and 0 on the background; all 1 if left out.
            box: Left, top, right, bottom in pixels of the original image.
            frame: Which frame of a DICOM file, from 1.

        Raises:
            ImageError: If the source cannot be read as an image.
            PromptError: If clicks or box lie outside the image or do not fit together.
        """
        image = self.open(source, frame=frame)
        if points is None and box is None:
            if labels is not None:
                raise PromptError("labels without points; give the points that they belong to")
            return image.segment()
        return image.refine(() if points is None else points, labels, box=box)

    def open(self, source: str | Path | bytes | Image, *, frame: int = 1) -> OpenImage:
        """Decode and encode one image and keep it, so that every mask after that takes the decoder only.

        Args:
            source: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
            frame: Which frame of a DICOM file, from 1.

        Raises:
            ImageError: If the source cannot be read as an image.
        """
        clock = Clock()
        with clock("decode"):
            ready = ReadyImage.of(decoded(source, self._max_pixels, frame))
        with clock("encode"):
            flips: tuple[Flip, ...] = ("original", "hflip") if self.options.flips else ("original",)
            unframed = ready.unframed
            encoded = {flip: self._model.encode(flip_pixels(unframed, flip)) for flip in flips}
            gate = self._model.judge_skin(encoded["original"])
        return OpenImage(self.bundle, self._model, SeenImage(ready, encoded, gate), self.options, clock=clock)


def load_segmenter(
    bundle: str | Path | Bundle | None = None,
    *,
    engine: EngineName | None = None,
    precision: Precision = "auto",
    threads: int = 0,
    streams: int = 1,
    max_pixels: int = MAX_PIXELS,
    options: MaskOptions | None = None,
) -> Segmenter:
    """A segmenter with the bundle in a folder, with one that is loaded, or with the one that ships inside the package.

    Args:
        bundle: See `dermoscope.load`; all modes of a bundle have the same masks.
        engine: See `Segmenter`, as for all that follow.
        precision: See there.
        threads: See there.
        streams: See there.
        max_pixels: See there.
        options: See there.

    Raises:
        BundleError: If the bundle is missing or damaged.
        EngineError: If no engine can run it.
    """
    return Segmenter(
        bundle if isinstance(bundle, Bundle) else named_bundle(bundle)[0],
        engine=engine,
        precision=precision,
        threads=threads,
        streams=streams,
        max_pixels=max_pixels,
        options=options,
    )
