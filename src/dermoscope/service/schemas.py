"""What the interface takes and gives, as documented in `/openapi.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dermoscope.analysis import Analysis, Measures
from dermoscope.cases import MAX_NOTE, Case
from dermoscope.open_image import OpenImage


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _with_example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [example]})


class ErrorDetail(_Record):
    """Why a request was refused.

    Attributes:
        code: Name that scripts may rely on.
        message: Plain words, with the way out.
    """

    code: str
    message: str


class Error(_Record):
    """The one form of every refusal."""

    error: ErrorDetail


class Health(_Record):
    """That the service runs, and what it can do.

    Attributes:
        version: Of `dermoscope`.
        bundle: Fingerprint of the model in use.
        history: Whether cases can be kept.
        dicom: Whether DICOM files can be read.
    """

    status: Literal["ok"] = "ok"
    version: str
    bundle: str
    history: bool
    dicom: bool


class Models(_Record):
    """The model bundles, each as `bundle.json` describes it, with `in_use` added."""

    models: list[dict[str, Any]]


class Result(_Record):
    """What was said of one file.

    Attributes:
        index: Its place in the request, from 0.
        analysis: As everywhere in `dermoscope`.
        image: Token of the kept image, or null.
    """

    index: int
    analysis: Analysis
    image: str | None


class Results(_Record):
    """One result a file, in their order."""

    results: list[Result]


Position = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]
Point = tuple[Position, Position, Literal[0, 1]]
Box = tuple[Position, Position, Position, Position]


class Prompts(_Record):
    """What a person gave so far.

    Attributes:
        points: Clicks: x, y in pixels of the original, and 1 on the lesion or 0 on the background.
        box: Left, top, right, bottom in pixels, or null.
    """

    points: list[Point] = []
    box: Box | None = None


class Refinement(_Record):
    """Clicks that are added to those before, and a box that takes the place of an earlier one."""

    points: Annotated[list[Point], Field(max_length=100)] = []
    box: Box | None = None

    model_config = _with_example({"points": [[210, 180, 1], [20, 25, 0]], "box": None})


class MaskNow(_Record):
    """The mask of a kept image as it stands.

    Attributes:
        prompt: What it was made from: the name of an automatic prompt, `clicks`, `drawn by hand`, or `corrected`, where
            a person had given or drawn something before the case was opened; empty for none.
        confidence: Expected overlap with the true mask, 0 to 1; null without a mask, or where it is not known.
        area_fraction: Share of the image inside the mask, 0 to 1.
        box: Left, top, right, bottom in pixels; right and bottom are exclusive.
        outline: Closed polygons of (x, y) pixel positions, outer contours only.
        width: Width of the original image in pixels.
        height: Height of the original image in pixels.
        prompts: Clicks and box behind it.
        can_undo: Whether there is a step to take back.
        is_corrected: Whether a person gave or drew anything behind it, also before a case was opened.
        timings_ms: Milliseconds spent in each stage.
    """

    prompt: str
    confidence: float | None
    area_fraction: float
    box: tuple[int, int, int, int] | None
    outline: list[list[tuple[int, int]]]
    width: int
    height: int
    prompts: Prompts
    can_undo: bool
    is_corrected: bool
    timings_ms: dict[str, float]


class Refined(_Record):
    """The mask after a correction, and what is measured on it."""

    segmentation: MaskNow
    measures: Measures | None


class Opened(Refined):
    """A kept image as it stands."""

    image: str
    analysis: Analysis


class Evidence(_Record):
    """Where the evidence for malignancy lies, on a grid over the image.

    Attributes:
        values: Of each row; positive speaks for malignancy, in log odds.
        share_inside: Share of the evidence for malignancy on the mask as it stands or at its border, 0 to 1; null where
            nothing speaks for malignancy, or there is no mask.
    """

    rows: int
    columns: int
    values: list[list[float]]
    share_inside: float | None


class NewCase(_Record):
    """An image to keep.

    Attributes:
        image: Token of a kept image.
        label: Diagnosis code that a person gives, or null.
        note: Free text.
    """

    image: Annotated[str, Field(max_length=64)]
    label: Annotated[str, Field(max_length=64)] | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""

    model_config = _with_example({"image": "rD0f9OWd3pee9Qo9NzOCiA", "label": "NV", "note": "left forearm"})


class CaseChange(_Record):
    """What changes of a case; what is left out stays as it is.

    Attributes:
        label: Diagnosis code; null takes the label away.
        note: Free text; empty takes the note away.
        image: Token of the image that was opened from the case; its mask takes the place of the case's.
    """

    label: Annotated[str, Field(max_length=64)] | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE)] | None = None
    image: Annotated[str, Field(max_length=64)] | None = None

    model_config = _with_example({"label": "MEL", "note": "excised"})


class CaseList(_Record):
    """Some cases, the newest first.

    Attributes:
        next: Id to give as `before` for those after these, or null.
        total: How many there are in all that were asked for.
    """

    cases: list[Case]
    next: str | None
    total: int


class SimilarKept(Case):
    """A case that looks like an image; `distance` is the cosine distance of the embeddings, 0 to 2."""

    distance: float


class SimilarCases(_Record):
    """The nearest first."""

    cases: list[SimilarKept]


class ImageToken(_Record):
    """Token of an image that is kept behind the encoder."""

    image: str


def mask_now(opened: OpenImage) -> MaskNow:
    """The mask of an open image as it stands."""
    result = opened.result
    points, labels, box = opened.given
    return MaskNow(
        prompt=result.prompt if result else "",
        confidence=result.confidence if result else None,
        area_fraction=result.area_fraction if result else 0.0,
        box=result.box if result else None,
        outline=[list(polygon) for polygon in result.outline] if result else [],
        width=opened.width,
        height=opened.height,
        prompts=Prompts(
            points=[(x, y, 1 if label else 0) for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True)],
            box=box,
        ),
        can_undo=opened.steps > 1,
        is_corrected=opened.is_corrected,
        timings_ms=result.timings_ms if result else {},
    )
