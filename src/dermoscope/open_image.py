"""One image behind the encoder: its mask, found without a prompt or made from clicks and a box, and corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dermoscope.bundle import Bundle
from dermoscope.images import side_by_side
from dermoscope.mask_model import Clock, MaskModel, SeenImage
from dermoscope.segment.automatic import AutomaticMask, certainty
from dermoscope.segment.edges import snap_to_edges
from dermoscope.segment.flips import FlippedDecoder
from dermoscope.segment.postprocess import FinishedMask, finish_mask, finished_by_hand
from dermoscope.segment.prompts import LESION_LABEL, clicks
from dermoscope.segment.selection import select_mask
from dermoscope.segment.user_prompts import PromptError, UserBox, box_inside, check_clicks
from dermoscope.segmentation import Segmentation

Image = NDArray[np.uint8]

FURTHER_PIECE_SHARE = 0.2
"""With `pieces="several"`, a further piece is kept from this share of the largest piece's area on."""

_NO_POINTS = np.zeros((0, 2), np.float32)
_NO_LABELS = np.zeros(0, np.int64)
# Logit of a pixel that a person drew; decoders return some 10 where they are sure.
_DRAWN_LOGIT = 10.0


@dataclass(frozen=True)
class MaskOptions:
    """How masks are made.

    Attributes:
        gate: Make no automatic mask where the bundle's gate sees no skin.
        pieces: Keep the largest piece alone, or further large ones as well: several lesions.
        edges: Snap the outline to edges of the image, see `segment.edges`.
        flips: Take the mean over the image and its mirror image, which costs a second pass of the encoder.
    """

    gate: bool = False
    pieces: Literal["one", "several"] = "one"
    edges: bool = False
    flips: bool = False


@dataclass(frozen=True, eq=False)
class _Step:
    """What the user has given so far, and what came of it."""

    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    box: UserBox | None
    logits: NDArray[np.float32] | None
    result: Segmentation
    by_person: bool = False


class OpenImage:
    """One image behind the encoder, with its mask as it stands. For one thread at a time.

    `Segmenter.open` makes it, and `Analyzer.analyze` with `keep_open`.

    Clicks add up: every `refine` counts those before it too, and starts from the mask as it stands if the bundle's
    decoder takes an earlier mask. One that does not gets all clicks at once.

    Args:
        bundle: The model.
        model: The same, compiled.
        seen: The image, encoded once for each flip that the options ask for.
        options: How masks are made.
        clock: What the way to here took; the first mask tells it.

    Attributes:
        width: Width of the original image in pixels.
        height: Height of the original image in pixels.
        rgb: Its pixels `[h, w, 3]` uint8; a large JPEG is decoded at a fraction of its size.
        smoothed: The same without grain, as the models see it; the very same where there is none.
        encoded: What the encoder says of it.
        spacing_mm: Distance between rows, then between columns, in millimetres, where it is known.
    """

    def __init__(
        self,
        bundle: Bundle,
        model: MaskModel,
        seen: SeenImage,
        options: MaskOptions,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._model, self._options = model, options
        self._part, self._fingerprint = bundle.description.decoder, bundle.fingerprint
        self._clock = clock or Clock()
        ready, image = seen.ready, seen.ready.image
        self.rgb, self.width, self.height, self.spacing_mm = image.rgb, image.width, image.height, image.spacing_mm
        self.smoothed, self._small, self._view = ready.rgb, ready.small, ready.view
        self.encoded, self._gate = seen.encoded["original"], seen.gate
        self._flips = tuple(seen.encoded)
        shape = self._small.shape[:2]
        self._decode = FlippedDecoder({flip: model.decoder_on(one, shape) for flip, one in seen.encoded.items()}, shape)
        self._steps: list[_Step] = []

    @property
    def result(self) -> Segmentation | None:
        """The mask as it stands; none before the first."""
        return self._steps[-1].result if self._steps else None

    @property
    def given(self) -> tuple[NDArray[np.float32], NDArray[np.int64], UserBox | None]:
        """Clicks `[P, 2]` with their labels `[P]`, and the box, behind the mask as it stands."""
        last = self._steps[-1] if self._steps else None
        return (last.points, last.labels, last.box) if last else (_NO_POINTS, _NO_LABELS, None)

    @property
    def is_corrected(self) -> bool:
        """Whether a person gave or drew anything behind the mask as it stands."""
        return bool(self._steps) and self._steps[-1].by_person

    @property
    def steps(self) -> int:
        """How many masks there were, the one as it stands included; `undo` goes back by one."""
        return len(self._steps)

    def start_from(self, found: AutomaticMask, finished: FinishedMask | None) -> Segmentation:
        """Take over a mask that was found on this image without a prompt, as if `segment` had found it.

        Args:
            found: The mask.
            finished: The same at the size of the original.
        """
        result = self._result(finished, found.prompt, self._model.confidence(found.score), self._started_clock())
        self._steps = [_Step(_NO_POINTS, _NO_LABELS, None, found.logits, result)]
        return result

    def draw(self, mask: NDArray[np.bool_]) -> Segmentation:
        """Take a mask that a person drew, exactly as it is; earlier clicks no longer count, and later ones refine it.

        Args:
            mask: `[height, width]` at the original size; an empty one says that there is no lesion.

        Raises:
            PromptError: If its size is not that of the image.
        """
        self._steps.append(self._taken(mask, "drawn by hand", None, by_person=True))
        return self._steps[-1].result

    def start_from_kept(
        self, mask: NDArray[np.bool_], prompt: str, confidence: float | None, *, by_person: bool
    ) -> Segmentation:
        """Take a mask that was kept of this image, exactly as it is, for the first one; everything else is forgotten.

        Args:
            mask: `[height, width]` at the original size.
            prompt: What it was made from.
            confidence: Expected overlap with the true mask, 0 to 1, if it is known.
            by_person: Whether a person gave or drew anything behind it.

        Raises:
            PromptError: If its size is not that of the image.
        """
        self._steps = [self._taken(mask, prompt, confidence, by_person=by_person)]
        return self._steps[-1].result

    def segment(self) -> Segmentation:
        """Find the lesion without a prompt. Forgets clicks and box; `refine` goes on from here."""
        clock = self._started_clock()
        finished, confidence, logits, prompt = None, None, None, ""
        if self._gate.is_skin or not self._options.gate:
            with clock("segment"):
                found = self._model.find_lesion(self.smoothed, self._small, self._view, self._decode, self._flips)
            with clock("mask"):
                logits, prompt = found.logits, found.prompt
                finished = None if logits is None else self._finish(logits, _NO_POINTS, _NO_LABELS)
            confidence = self._model.confidence(found.score)
        result = self._result(finished, prompt, confidence, clock)
        self._steps = [_Step(_NO_POINTS, _NO_LABELS, None, logits, result)]
        return result

    def refine(
        self, points: ArrayLike = (), labels: ArrayLike | None = None, *, box: UserBox | None = None
    ) -> Segmentation:
        """Add clicks, or set a box, and make the mask anew; runs the decoder alone.

        Args:
            points: New clicks `[P, 2]`, x and y in pixels of the original image.
            labels: `[P]`, 1 on the lesion and 0 on the background; all 1 if left out.
            box: Left, top, right, bottom in pixels of the original image; takes the place of an earlier box.

        Raises:
            PromptError: If clicks or box lie outside the image or do not fit together, or there are none at all.
        """
        where, kinds = check_clicks(points, labels, self.width, self.height)
        box = None if box is None else box_inside(box, self.width, self.height)
        clock = self._started_clock()
        previous = None
        if self._steps:
            last = self._steps[-1]
            where, kinds = np.concatenate([last.points, where]), np.concatenate([last.labels, kinds])
            box = last.box if box is None else box
            previous = last.logits
        if not len(where) and box is None:
            raise PromptError("no clicks and no box; give one of them, or call segment()")
        with clock("segment"):
            logits, confidence, prompt = self._prompted(where, kinds, box, previous)
        with clock("mask"):
            finished = self._finish(logits, where, kinds)
        result = self._result(finished, prompt, confidence, clock)
        self._steps.append(_Step(where, kinds, box, logits, result, by_person=True))
        return result

    def undo(self) -> Segmentation | None:
        """Take the last step back.

        Returns:
            The mask before it; none if there was none.
        """
        if self._steps:
            self._steps.pop()
        return self.result

    def reset(self) -> None:
        """Forget mask, clicks and box; the image stays encoded."""
        self._steps = []

    def picture(self) -> Image:
        """The image, and beside it the outline of the mask as it stands, `[h, w, 3]`."""
        mask = self.result.mask if self.result else None
        return side_by_side(self.rgb, mask=mask, captions=("image", "lesion mask", ""))

    def _taken(self, mask: NDArray[np.bool_], prompt: str, confidence: float | None, *, by_person: bool) -> _Step:
        if mask.shape != (self.height, self.width):
            raise PromptError(
                f"the mask has {mask.shape[1]} × {mask.shape[0]} pixels, the image {self.width} × {self.height}"
            )
        clock = self._started_clock()
        with clock("mask"):
            finished = finished_by_hand(mask)
        coverage = cv2.resize(mask.astype(np.float32), self._decode.shape[::-1], interpolation=cv2.INTER_AREA)
        logits = np.asarray((coverage - 0.5) * 2 * _DRAWN_LOGIT, np.float32)
        result = self._result(finished, prompt, confidence, clock)
        return _Step(_NO_POINTS, _NO_LABELS, None, logits, result, by_person=by_person)

    def _started_clock(self) -> Clock:
        """For the first mask, the clock with the way to it; for later ones, a new one."""
        clock, self._clock = self._clock, Clock()
        return clock

    def _prompted(
        self,
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        box: UserBox | None,
        previous: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], float, str]:
        """Logits of the mask that the decoder believes in most, its confidence, and the name of the prompt."""
        scale = np.array((self._small.shape[1] / self.width, self._small.shape[0] / self.height), np.float32)
        if previous is not None and previous.shape != self._decode.shape:  # of colour alone, or of a mask network
            previous = np.asarray(cv2.resize(previous, self._decode.shape[::-1]), np.float32)
        left, top, right, bottom = (np.array(box or (0, 0, 0, 0)) * np.tile(scale, 2)).tolist()
        prompt = clicks(
            (points + np.float32(0.5)) * scale - np.float32(0.5),
            labels,
            box=None if box is None else (left, top, right, bottom),
            previous=previous if self._decode.takes_previous else None,
        )
        logits, overlaps = self._decode([prompt])
        judged = select_mask(logits, overlaps, [prompt.name], self._small, self._view, self._part.rules).candidates
        best = max(judged, key=lambda candidate: candidate.predicted_iou)
        score = certainty(best) if self._part.prompts == "no prompt" else best.score
        return logits[0, best.token], self._model.confidence(score, automatic=False), prompt.name

    def _finish(
        self, logits: NDArray[np.float32], points: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> FinishedMask | None:
        return finish_mask(
            snap_to_edges(logits, self.smoothed) if self._options.edges else logits,
            self.width,
            self.height,
            further_pieces=FURTHER_PIECE_SHARE if self._options.pieces == "several" else None,
            inside=points[labels == LESION_LABEL],
            outside=points[labels != LESION_LABEL],
        )

    def _result(
        self, finished: FinishedMask | None, prompt: str, confidence: float | None, clock: Clock
    ) -> Segmentation:
        return Segmentation(
            mask=finished.mask if finished else None,
            prompt=prompt if finished else "",
            confidence=confidence if finished else None,
            area_fraction=finished.area_fraction if finished else 0.0,
            box=finished.box if finished else None,
            outline=finished.outline if finished else (),
            width=self.width,
            height=self.height,
            p_skin=self._gate.p_skin,
            is_skin=self._gate.is_skin,
            timings_ms=clock.milliseconds,
            bundle=self._fingerprint,
        )
