"""The result of analysing one image: one record with the same fields in Python, JSON, tables and the report."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from dermoscope import taxonomy

if TYPE_CHECKING:
    from dermoscope.measures import LesionMeasures

Probability = float


class Status(StrEnum):
    """Whether an image was analysed to the end."""

    DONE = "done"
    FAILED = "failed"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(_Record):
    """Is this an image of skin at all?

    Attributes:
        is_skin: Whether `p_skin` reaches `threshold`.
        p_skin: Probability of skin, 0 to 1.
        threshold: Operating point of the bundle, 0 to 1.
    """

    is_skin: bool
    p_skin: Probability
    threshold: Probability


class MaskCandidate(_Record):
    """One mask that was proposed, and what became of it.

    Attributes:
        prompt: Name of the prompt that produced it, such as `saliency box`.
        predicted_iou: The model's own estimate of the overlap with the true object.
        stability: Overlap of the mask at a stricter and a laxer threshold, 0 to 1.
        area_fraction: Share of the image it covers, 0 to 1.
        kept: Whether it survived every rule.
        reason: Why it was dropped, or why it won; empty for a survivor that came second.
    """

    prompt: str
    predicted_iou: float
    stability: float
    area_fraction: float
    kept: bool
    reason: str


class LesionMask(_Record):
    """Where the lesion is.

    Attributes:
        prompt: Name of the prompt behind the chosen mask; the prompt source is always `auto` here.
        confidence: Expected overlap with the true mask, 0 to 1.
        area_fraction: Share of the image inside the mask, 0 to 1.
        box: Left, top, right, bottom in pixels of the original image; right and bottom are exclusive.
        outline: Closed polygons of (x, y) pixel positions in the original image, outer contours only.
        candidates: Every mask that was considered, with its fate.
    """

    prompt: str
    confidence: float
    area_fraction: float
    box: tuple[int, int, int, int]
    outline: tuple[tuple[tuple[int, int], ...], ...]
    candidates: tuple[MaskCandidate, ...]


class Measures(_Record):
    """What can be measured on the lesion, letter by letter of the ABCD rule; `dermoscope.measures` has the definitions.

    Attributes:
        asymmetry: Share of the lesion that does not fall onto itself, 0 to 1, mean of its two principal axes.
        asymmetry_axes: The same for the long axis and for the short one.
        border_irregularity: P² / (4πA): 1 for a circle, more the longer the border is for the area.
        colours: Which of white, red, light brown, dark brown, blue-grey and black cover at least 1 % of the lesion.
        colour_shares: Share of the lesion of each of the six colours, 0 to 1; the rest is as pale as the skin around.
        colour_variance: Mean squared CIELAB distance from the lesion's mean colour.
        diameter_px: Largest distance between two points of the lesion, in pixels of the original image.
        equivalent_diameter_px: Diameter of the circle of the same area, in pixels of the original image.
        diameter_mm: The largest distance in millimetres, or none where the size of a pixel is not known.
        equivalent_diameter_mm: The same of the circle.
        spacing_mm: Distance between rows, then between columns, in millimetres, where it is known.
        cut_by_border: Whether the lesion reaches the border of the image. The diameters are then lower bounds, and
            asymmetry and border irregularity are those of the part that is seen.
    """

    asymmetry: float
    asymmetry_axes: tuple[float, float]
    border_irregularity: float
    colours: tuple[str, ...]
    colour_shares: dict[str, float]
    colour_variance: float
    diameter_px: float
    equivalent_diameter_px: float
    diameter_mm: float | None
    equivalent_diameter_mm: float | None
    spacing_mm: tuple[float, float] | None
    cut_by_border: bool

    @classmethod
    def of(cls, lesion: LesionMeasures, spacing_mm: tuple[float, float] | None) -> Measures:
        """The record of a measured lesion.

        Args:
            lesion: What was measured.
            spacing_mm: The size of a pixel that it was measured with.
        """
        millimetres = lesion.millimetres
        return cls(
            asymmetry=lesion.asymmetry.mean,
            asymmetry_axes=(lesion.asymmetry.long_axis, lesion.asymmetry.short_axis),
            # OpenCV's sums differ in the tenth digit from call to call; the same image shall have the same record.
            border_irregularity=round(lesion.compactness, 6),
            colours=lesion.colours.present,
            colour_shares=dict(lesion.colours.shares),
            colour_variance=lesion.colours.variance,
            diameter_px=lesion.pixels.largest,
            equivalent_diameter_px=lesion.pixels.equivalent,
            diameter_mm=millimetres.largest if millimetres else None,
            equivalent_diameter_mm=millimetres.equivalent if millimetres else None,
            spacing_mm=spacing_mm,
            cut_by_border=lesion.is_cut,
        )


class Malignancy(_Record):
    """Risk that the lesion is malignant, under a definition that always has a name.

    Attributes:
        probability: Calibrated probability of malignancy, 0 to 1.
        definition: Name of the definition in `dermoscope.taxonomy`, such as `graz`.
        threshold: Operating point of the bundle; at or above it the image is flagged.
        operating_point: What the threshold stands for, in words.
        flagged: Whether `probability` reaches `threshold`.
    """

    probability: Probability
    definition: str
    threshold: Probability
    operating_point: str
    flagged: bool


class Evidence(_Record):
    """Where in the image the malignancy risk comes from.

    Attributes:
        share_inside: Share of the evidence for malignancy on the lesion or at its border, 0 to 1; none where nothing
            speaks for malignancy, or there is no mask.
        peak_inside: Whether its strongest place lies there; none in the same cases.
        grid: Rows of cells that cover the image, at most 14 by 14: what the cell adds to the log-odds of malignancy, by
            leaving it out, or, where a network with class activation maps answers, by those.
        warning: In plain words, where the risk is flagged and most of the evidence, and its peak, lie outside the
            lesion; empty otherwise.
    """

    share_inside: float | None
    peak_inside: bool | None
    grid: tuple[tuple[float, ...], ...]
    warning: str = ""


class PredictionSet(_Record):
    """Diagnoses of which the true one is among them as often as promised, for images like those of the calibration.

    Attributes:
        codes: The most probable first; empty where none is probable enough.
        coverage: The promised share of images, 0 to 1.
    """

    codes: tuple[str, ...]
    coverage: float


class Analysis(_Record):
    """Everything `dermoscope` says about one image.

    A failed image keeps its `image_id`, `path` and `reason`; every other field is then empty. Probabilities are filled
    for every image that decodes, also where the gate or an abstention withholds the answer.

    What follows from other fields is written with them, so that no reader has to derive it, and is derived anew when a
    record is read: `top_diagnosis`, `top_group`, `flagged_without_answer`.

    Attributes:
        image_id: Name of the image within one run, safe as a file name.
        path: The path as the user gave it, or empty for an image that came as an array.
        status: `done` or `failed`.
        reason: Why it failed; empty when done.
        width: Width of the original image in pixels, after the EXIF orientation was applied.
        height: Height of the original image in pixels.
        spacing_mm: Distance between rows, then between columns, in millimetres, where it is known: as the file says it,
            or else as it was given.
        quality: Names of the quality flags that were raised, in a fixed order.
        gate: Skin or not.
        out_of_distribution: How far the image is from those that the bundle was calibrated on, as a share of its limit:
            above 1 it is unlike them; none where the bundle has no limit.
        mask: The lesion mask, or none where no candidate survived.
        measures: Asymmetry, border, colours and diameter of the lesion, or none without a mask.
        diagnosis: Probability of each diagnosis code the bundle knows, were all equally frequent; sums to 1.
        group: Probability of each lesion group, were all equally frequent; sums to 1.
        malignancy: Risk under a named definition.
        prediction_set: Diagnoses that hold the true one as often as promised, where the bundle is calibrated for it.
        evidence: Where the risk comes from; none where the image is not skin, or where it was not asked for and no
            network of a mode tells.
        p_melanoma: The part of the malignancy risk that falls to melanoma, at the class frequencies of the bundle.
        abstained: Whether the answer is withheld.
        abstain_reason: Why; empty when an answer is given.
        timings_ms: Milliseconds spent in each stage.
        bundle: Fingerprint of the bundle that made this result.
        mode: Which of its modes answered; empty where it has none.
    """

    image_id: str
    path: str = ""
    status: Status = Status.DONE
    reason: str = ""
    width: int | None = None
    height: int | None = None
    spacing_mm: tuple[float, float] | None = None
    quality: tuple[str, ...] = ()
    gate: Gate | None = None
    out_of_distribution: float | None = None
    mask: LesionMask | None = None
    measures: Measures | None = None
    diagnosis: dict[str, Probability] = Field(default_factory=dict)
    group: dict[str, Probability] = Field(default_factory=dict)
    malignancy: Malignancy | None = None
    prediction_set: PredictionSet | None = None
    evidence: Evidence | None = None
    p_melanoma: Probability | None = None
    abstained: bool = False
    abstain_reason: str = ""
    timings_ms: dict[str, float] = Field(default_factory=dict)
    bundle: str = ""
    mode: str = ""

    @classmethod
    def failed(cls, image_id: str, path: str, reason: str) -> Analysis:
        """The record of an image that could not be analysed."""
        return cls(image_id=image_id, path=path, status=Status.FAILED, reason=reason)

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, record: Any) -> Any:
        """A written record without what is derived; the scale of an older one stands among its measures alone."""
        if not isinstance(record, dict):
            return record
        given = {name: value for name, value in record.items() if name not in cls.model_computed_fields}
        if "spacing_mm" not in given and isinstance(given.get("measures"), dict):
            given["spacing_mm"] = given["measures"].get("spacing_mm")
        return given

    @computed_field  # type: ignore[prop-decorator]
    @property
    def top_diagnosis(self) -> str | None:
        """The most probable diagnosis code, or none for a failed image."""
        return max(self.diagnosis, key=self.diagnosis.__getitem__) if self.diagnosis else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def top_group(self) -> str | None:
        """The lesion group that is told, or none for a failed image.

        In a mode that of the most probable diagnosis, so that they cannot contradict each other (of the two of `AKIEC`,
        the more probable); the most probable one where another head tells the group.
        """
        groups = [group for group in taxonomy.group_shares(self.top_diagnosis or "") if group in self.group]
        if not self.mode or not groups:
            groups = list(self.group)
        return max(groups, key=self.group.__getitem__) if groups else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def flagged_without_answer(self) -> bool:
        """Whether an image of skin gets no answer although its malignancy risk reaches the operating point."""
        is_skin = self.gate is None or self.gate.is_skin
        return is_skin and self.abstained and self.malignancy is not None and self.malignancy.flagged

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return self.model_dump(mode="json")

    def to_row(self) -> dict[str, str | int | float | bool | None]:
        """One row of `results.csv`. Column names are a promise to scripts: they are added to, never renamed."""
        return {
            "image_id": self.image_id,
            "path": self.path,
            "status": str(self.status),
            "reason": self.reason,
            "is_skin": self.gate.is_skin if self.gate else None,
            "p_skin": self.gate.p_skin if self.gate else None,
            "group": self.top_group,
            **{f"p_{taxonomy.GROUP_COLUMNS[group]}": self.group.get(group) for group in taxonomy.GROUPS},
            "diagnosis": self.top_diagnosis,
            **{f"p_{code}": self.diagnosis.get(code) for code in self._diagnosis_columns()},
            "p_malignant": self.malignancy.probability if self.malignancy else None,
            "malignancy_definition": self.malignancy.definition if self.malignancy else None,
            "p_melanoma": self.p_melanoma,
            "abstained": self.abstained if self.status is Status.DONE else None,
            "abstain_reason": self.abstain_reason,
            "mask": f"masks/{self.image_id}.png" if self.mask else None,
            "mask_confidence": self.mask.confidence if self.mask else None,
            "area_fraction": self.mask.area_fraction if self.mask else None,
            "flagged": self.malignancy.flagged if self.malignancy else None,
            "malignancy_threshold": self.malignancy.threshold if self.malignancy else None,
            "quality": " ".join(self.quality),
            "width": self.width,
            "height": self.height,
            "bundle": self.bundle,
            "asymmetry": self.measures.asymmetry if self.measures else None,
            "border_irregularity": self.measures.border_irregularity if self.measures else None,
            "colours": "; ".join(self.measures.colours) if self.measures else None,
            "diameter_px": self.measures.diameter_px if self.measures else None,
            "diameter_mm": self.measures.diameter_mm if self.measures else None,
            "cut_by_border": self.measures.cut_by_border if self.measures else None,
            "out_of_distribution": self.out_of_distribution,
            "mode": self.mode,
            "prediction_set": " ".join(self.prediction_set.codes) if self.prediction_set else None,
            "evidence_inside": self.evidence.share_inside if self.evidence else None,
            "evidence_warning": self.evidence.warning if self.evidence else "",
            "flagged_without_answer": self.flagged_without_answer if self.status is Status.DONE else None,
        }

    def _diagnosis_columns(self) -> tuple[str, ...]:
        extra = tuple(code for code in self.diagnosis if code not in taxonomy.HAM10000_CODES)
        return (*taxonomy.HAM10000_CODES, *extra)
