"""What is said of a lesion: by the heads of a bundle alone, or by one of its modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.abstention import group_disagreement
from dermoscope.analysis import Malignancy, PredictionSet
from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import HEADS, AbstentionPart, HeadsPart, OperatingPoint
from dermoscope.engine import EngineName, Precision, compile_graph
from dermoscope.explanation import prediction_set
from dermoscope.fusion import FusionModel
from dermoscope.mask_model import distribution


@dataclass(frozen=True, eq=False)
class Answer:
    """What is said of one lesion; `Analysis` explains most of it.

    Attributes:
        diagnosis: Probability of each diagnosis, were all equally frequent.
        group: Probability of each lesion group, likewise.
        malignancy: The risk.
        p_melanoma: Melanoma's part of it.
        prediction_set: Diagnoses that remain possible, where that is calibrated.
        disagreement: How far those who answered are apart, 0 to 1.
        certainty: Largest probability of a diagnosis, at the frequencies that the diagnoses are calibrated at.
        rules: When the answer is withheld, beyond what always withholds it.
        members: `[M, C, K]`, what each member of the mode says about each crop; none without a mode.
        evidence: `[h, w]` over the image, what each cell adds to the log-odds of malignancy, where a network tells.
    """

    diagnosis: dict[str, float]
    group: dict[str, float]
    malignancy: Malignancy
    p_melanoma: float
    prediction_set: PredictionSet | None
    disagreement: float
    certainty: float
    rules: AbstentionPart | None
    members: NDArray[np.float64] | None = None
    evidence: NDArray[np.float32] | None = None


class AnswerModel:
    """The heads of a bundle, and the networks of one of its modes, compiled. Safe to use from several threads.

    Args:
        bundle: The model.
        mode: Which of its modes; the first if left out.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        BundleError: If it has no such mode.
        EngineError: If no engine can run a graph.
    """

    def __init__(
        self,
        bundle: Bundle,
        mode: str | None,
        *,
        engine: EngineName | None,
        precision: Precision,
        threads: int,
        streams: int,
    ) -> None:
        self.mode, part = bundle.mode(mode)
        self._bundle = bundle.description
        self._heads = None
        # Where networks answer alone, the heads would be computed for nobody.
        if part is None or HEADS in part.fusion.members:
            # Float32 keeps their probabilities equal across machines, and costs next to nothing here.
            self._heads = compile_graph(
                bundle.graph_path(self._bundle.heads),
                engine=engine,
                precision="float32",
                threads=threads,
                streams=streams,
            )
        self._fusion = None
        if part:
            self._fusion = FusionModel(
                bundle, part, engine=engine, precision=precision, threads=threads, streams=streams
            )

    def __call__(self, feature: NDArray[np.float32], rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Answer:
        """Answer about one image.

        Args:
            feature: `[1, F]`, of the encoder.
            rgb: The image `[H, W, 3]`, 8-bit.
            mask: The lesion, at any resolution; none where there is none.
        """
        if self._fusion is None:
            return self._by_heads(feature)
        mode, said = self._fusion.mode, None
        if self._heads is not None:
            said = distribution(self._bundle.heads.diagnosis, self._heads({"feature": feature}))
        fused = self._fusion.answer(rgb, mask, said)
        diagnosis = self._fusion.at_equal_frequencies(fused.probabilities)
        risk = self._fusion.malignancy(fused.probabilities)
        return Answer(
            diagnosis=diagnosis,
            group=taxonomy.group_probabilities(diagnosis),
            malignancy=_malignancy(risk, mode.malignancy_definition, mode.malignancy_point),
            p_melanoma=fused.probabilities.get("MEL", 0.0),
            prediction_set=prediction_set(mode.fusion.classes, mode.conformal, diagnosis),
            disagreement=fused.disagreement,
            certainty=max(fused.probabilities.values()),
            rules=mode.abstention,
            members=fused.members,
            evidence=fused.evidence,
        )

    def _by_heads(self, feature: NDArray[np.float32]) -> Answer:
        assert self._heads is not None
        heads, logits = self._bundle.heads, self._heads({"feature": feature})
        said = distribution(heads.diagnosis, logits)
        group = distribution(heads.group, logits) if heads.group else taxonomy.group_probabilities(said)
        risk = distribution(heads.malignancy, logits)["malignant"]
        return Answer(
            diagnosis=said,
            group=group,
            malignancy=_malignancy(risk, heads.malignancy_definition, heads.malignancy_point),
            p_melanoma=_melanoma(heads, said, risk),
            prediction_set=prediction_set(heads.diagnosis.classes, heads.diagnosis.conformal, said),
            disagreement=group_disagreement(group, said),
            certainty=max(said.values()),
            rules=self._bundle.abstention,
        )

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.floating]:
        """Log-odds of malignancy `[N]` by the head alone, up to a constant; not where networks answer alone.

        Args:
            features: `[N, F]`.
        """
        assert self._heads is not None
        head = self._bundle.heads.malignancy
        logits = self._heads({"feature": features})[head.output]
        return (logits[:, 1] - logits[:, 0]) / head.calibration.temperature


def _malignancy(probability: float, definition: str, point: OperatingPoint) -> Malignancy:
    return Malignancy(
        probability=probability,
        definition=definition,
        threshold=point.threshold,
        operating_point=point.meaning,
        flagged=probability >= point.threshold,
    )


def _melanoma(heads: HeadsPart, diagnosis: Mapping[str, float], risk: float) -> float:
    # The diagnosis distribution speaks of equally frequent classes; weighted with their frequencies, melanoma's part
    # among the malignant ones splits the calibrated risk, so that it can never exceed that risk.
    frequency = dict(zip(heads.diagnosis.classes, heads.diagnosis.frequencies, strict=True))
    malignant = taxonomy.malignancy_definition(heads.malignancy_definition).malignant
    weighted = {code: diagnosis[code] * share for code, share in frequency.items() if code in malignant}
    total = sum(weighted.values())
    return risk * weighted.get("MEL", 0.0) / total if total else 0.0
