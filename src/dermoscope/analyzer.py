"""The flagship way, from bytes to an `Analysis`: each image walks it once.

decode → grain → encoder (one pass) ─┬→ gate, distance; heads ───────────────────────────────────────────────┐
                                     └→ mask network, or prompts → mask decoder → mask ─┬→ crops → networks ─┴→ answer
                                        (where the gate says skin)                      └→ measures
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermoscope.abstention import reason_to_abstain
from dermoscope.analysis import Analysis, LesionMask, MaskCandidate, Measures
from dermoscope.answer import AnswerModel
from dermoscope.bundle import Bundle, named_bundle
from dermoscope.engine import EngineName, Precision, available_engines
from dermoscope.explanation import evidence_record
from dermoscope.familiarity import FamiliarityModel
from dermoscope.heads.evidence import occlusion_evidence
from dermoscope.images import MAX_PIXELS, DecodedImage, quality_flags, side_by_side
from dermoscope.mask_model import Clock, EncodedImage, MaskModel, ReadyImage, SeenImage, decoded
from dermoscope.measures import measure_lesion
from dermoscope.open_image import MaskOptions, OpenImage
from dermoscope.segment.automatic import AutomaticMask
from dermoscope.segment.postprocess import FinishedMask, finish_mask

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """An analysis with its images.

    Attributes:
        analysis: The record.
        mask: `[H, W]` bool at the original size, or none.
        picture: `[h, w, 3]` uint8, image, outline and evidence side by side, if it was asked for.
        opened: The image behind the encoder, for clicks that start from this mask, if it was asked for.
        feature: `[F]`, the encoder's, which the heads read.
        members: `[M, C, K]`, what each member of the mode says about each crop; none where the bundle has no mode.
    """

    analysis: Analysis
    mask: Mask | None
    picture: Image | None
    opened: OpenImage | None = None
    feature: NDArray[np.float32] | None = None
    members: NDArray[np.float64] | None = None


class Analyzer:
    """Analyses images with one bundle, loaded once. Safe to use from several threads.

    Args:
        bundle: The model.
        mode: Which of its modes answers; the first if left out.
        operating_point: Name of the mode's operating point that flags malignancy; its own if left out.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.
        max_pixels: Files with more pixels are refused by their header.

    Attributes:
        bundle: The model, at that operating point.
        settings: What decides the answers beside the bundle, as `run.json` records it.

    Raises:
        BundleError: If it has no such mode or operating point.
        EngineError: If no engine can run the bundle's graphs.

    Example:
        >>> import dermoscope
        >>> analyzer = dermoscope.load()
        >>> outcome = analyzer.analyze("examples/images/synthetic_pigment_network_light_skin.jpg")  # doctest: +SKIP
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        mode: str | None = None,
        operating_point: str | None = None,
        engine: EngineName | None = None,
        precision: Precision = "auto",
        threads: int = 0,
        streams: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if operating_point is not None:
            bundle = bundle.at_operating_point(operating_point, mode)
        self.bundle = bundle
        self._max_pixels = max_pixels
        self._model = MaskModel(bundle, engine=engine, precision=precision, threads=threads, streams=streams)
        self._distance = FamiliarityModel(bundle, engine=engine, threads=threads, streams=streams)
        self._answers = AnswerModel(bundle, mode, engine=engine, precision=precision, threads=threads, streams=streams)
        self.settings = settings_of(
            mode=self.mode,
            operating_point=bundle.operating_point(mode),
            engine=engine,
            precision=precision,
            max_pixels=max_pixels,
        )

    @property
    def mode(self) -> str:
        """Name of the mode that answers; empty where the bundle has none."""
        return self._answers.mode

    def describe(self) -> dict[str, Any]:
        """The bundle as plain JSON types, and which of its modes answers."""
        return self.bundle.describe(self.mode)

    def analyze(
        self,
        source: str | Path | bytes | Image,
        *,
        image_id: str = "image",
        path: str = "",
        frame: int = 1,
        picture: bool = False,
        evidence: bool = False,
        keep_open: bool = False,
        spacing_mm: tuple[float, float] | None = None,
    ) -> Outcome:
        """Analyse one image.

        Args:
            source: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
            image_id: Name for the record.
            path: Path for the record, as the user knows it.
            frame: Which frame of a DICOM file, from 1.
            picture: Whether to draw image, outline and evidence; the record then has the evidence, too.
            evidence: Whether to look where the risk comes from also where the heads answer alone, for 15 to 25 ms of
                processor time. The networks of a mode tell it by the way, and the record then always has it.
            keep_open: Whether to keep the image behind the encoder, for clicks and evidence.
            spacing_mm: Distance between rows, then between columns, in millimetres, so that diameters have a unit;
                where the file has its own, that counts.

        Raises:
            ImageError: If the source cannot be read as an image.
        """
        clock = Clock()
        with clock("decode"):
            image = decoded(source, self._max_pixels, frame)
            if image.spacing_mm is None:
                image = replace(image, spacing_mm=spacing_mm)
        with clock("quality"):
            ready = ReadyImage.of(image)
            rgb, small, view = ready.rgb, ready.small, ready.view
            flags = quality_flags(small, size=(image.width, image.height), view=view, grain=ready.grain)
        with clock("encode"):
            encoded = self._model.encode(ready.unframed)
        with clock("gate"):
            gate = self._model.judge_skin(encoded)
            distance = self._distance(encoded.feature)
        segmented = finished = None
        if gate.is_skin:
            with clock("segment"):
                decode = self._model.decoder_on(encoded, small.shape[:2])
                segmented = self._model.find_lesion(rgb, small, view, decode)
            with clock("mask"):
                finished = _finished(segmented, image)
        mask = finished.mask if finished else None
        measures = None
        if mask is not None:
            with clock("measure"):
                measures = Measures.of(measure_lesion(rgb, mask, spacing_mm=image.spacing_mm), image.spacing_mm)
        with clock("classify"):
            answer = self._answers(encoded.feature, rgb, mask)
        evidence_map = found_evidence = drawing = None
        rules = answer.rules
        is_asked = evidence or picture or (rules is not None and rules.least_evidence_inside is not None)
        if gate.is_skin and (is_asked or answer.evidence is not None):
            with clock("evidence"):
                evidence_map = self._occlusion(encoded) if answer.evidence is None else answer.evidence
                flagged = answer.malignancy.flagged
                found_evidence = evidence_record(evidence_map, mask, rgb, view, flagged=flagged)
        if picture:
            with clock("picture"):
                captions = ("image", "lesion mask", "evidence for malignancy")
                drawing = side_by_side(image.rgb, mask=mask, evidence=evidence_map, captions=captions)
        reason = reason_to_abstain(
            gate,
            flags,
            rules,
            out_of_distribution=distance,
            disagreement=answer.disagreement,
            certainty=answer.certainty,
            prediction_set=answer.prediction_set,
            evidence=found_evidence,
        )
        analysis = Analysis(
            image_id=image_id,
            path=path,
            width=image.width,
            height=image.height,
            spacing_mm=image.spacing_mm,
            quality=flags,
            gate=gate,
            out_of_distribution=distance,
            mask=self._mask_record(segmented, finished) if segmented and finished else None,
            measures=measures,
            diagnosis=answer.diagnosis,
            group=answer.group,
            malignancy=answer.malignancy,
            prediction_set=answer.prediction_set,
            evidence=found_evidence,
            p_melanoma=answer.p_melanoma,
            abstained=bool(reason),
            abstain_reason=reason,
            timings_ms=clock.milliseconds,
            bundle=self.bundle.fingerprint,
            mode=self.mode,
        )
        opened = None
        if keep_open:
            seen = SeenImage(ready, {"original": encoded}, gate)
            opened = OpenImage(self.bundle, self._model, seen, MaskOptions(gate=True))
            if segmented:
                opened.start_from(segmented, finished)
        return Outcome(analysis, mask, drawing, opened, encoded.feature[0], answer.members)

    def evidence(self, opened: OpenImage) -> NDArray[np.float32]:
        """Where the evidence for malignancy lies, as `analyze` finds it, with the mask as it stands.

        Args:
            opened: The image.

        Returns:
            `[rows, columns]` over the image: what the cell adds to the log-odds of malignancy.
        """
        mask = opened.result.mask if opened.result else None
        found = self._answers(opened.encoded.feature, opened.smoothed, mask).evidence
        return self._occlusion(opened.encoded) if found is None else found

    def _occlusion(self, encoded: EncodedImage) -> NDArray[np.float32]:
        """By how much the log-odds of the malignancy head fall when a cell is left out, `[rows, columns]`."""
        prepared = encoded.prepared
        evidence = occlusion_evidence(encoded.embedding[0], prepared.pool_weights[0, 0], self._answers.log_odds)
        cells = self.bundle.description.encoder.input
        rows = max(1, round(prepared.height * cells.map_size / cells.size))
        columns = max(1, round(prepared.width * cells.map_size / cells.size))
        return evidence[:rows, :columns]

    def _mask_record(self, segmented: AutomaticMask, finished: FinishedMask) -> LesionMask:
        return LesionMask(
            prompt=segmented.prompt,
            confidence=self._model.confidence(segmented.score),
            area_fraction=finished.area_fraction,
            box=finished.box,
            outline=finished.outline,
            candidates=tuple(
                MaskCandidate(
                    prompt=candidate.prompt,
                    predicted_iou=candidate.predicted_iou,
                    stability=candidate.stability,
                    area_fraction=candidate.area_fraction,
                    kept=candidate.kept,
                    reason=candidate.reason,
                )
                for candidate in segmented.candidates
            ),
        )


def load_analyzer(
    bundle: str | Path | Bundle | None = None,
    *,
    mode: str | None = None,
    operating_point: str | None = None,
    engine: EngineName | None = None,
    precision: Precision = "auto",
    threads: int = 0,
    streams: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Analyzer:
    """An analyzer with the bundle in a folder, with one that is loaded, or with the one that ships inside the package.

    Args:
        bundle: The folder; a name that one is kept under on this machine; `fast` or `best`, which always mean that mode
            of the one inside the package, where `./fast` is a folder; or a bundle, such as
            `Bundle.from_pretrained("owner/name")`.
        mode: Which of its modes answers; the first if left out.
        operating_point: Name of the mode's operating point that flags malignancy, such as
            `malignancy (graz), sensitivity 0.90`; the mode's own if left out.
        engine: See `Analyzer`, as for all that follow.
        precision: See there.
        threads: See there.
        streams: See there.
        max_pixels: See there.

    Raises:
        BundleError: If the bundle is missing or damaged, or has no such mode or operating point.
        EngineError: If no engine can run it.
    """
    if not isinstance(bundle, Bundle):
        bundle, mode = named_bundle(bundle, mode)
    return Analyzer(
        bundle,
        mode=mode,
        operating_point=operating_point,
        engine=engine,
        precision=precision,
        threads=threads,
        streams=streams,
        max_pixels=max_pixels,
    )


def settings_of(
    *,
    mode: str,
    operating_point: str | None,
    engine: EngineName | None,
    precision: Precision,
    max_pixels: int,
) -> dict[str, str | int | None]:
    """How an analyzer is set up, as far as it decides its answers: for records of runs, which compare it.

    Args:
        mode: Name of the mode that answers; empty where the bundle has none.
        operating_point: Name of the one that flags malignancy, asked for or not; none if it has no name.
        engine: The one that was asked for.
        precision: Likewise.
        max_pixels: Likewise.
    """
    return {
        "max_pixels": max_pixels,
        "mode": mode or None,
        "operating_point": operating_point,
        "engine": engine or next(iter(available_engines()), None),
        "precision": precision,
    }


def _finished(segmented: AutomaticMask, image: DecodedImage) -> FinishedMask | None:
    return None if segmented.logits is None else finish_mask(segmented.logits, image.width, image.height)
