"""Fits a mode of a bundle on what its members say of held-out images: rule, calibration, thresholds. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from dermoscope import taxonomy
from dermoscope.abstention import member_disagreement
from dermoscope.bundle_parts import AbstentionPart, ConformalPart, ModePart, OperatingPoint
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription, Rule
from dermoscope.ensemble.probabilities import at_equal_frequencies
from dermoscope.evaluation import conformal
from dermoscope.network_parts import MemberPart
from dermoscope.training.ensemble_fit import fit_ensemble

RULES: tuple[Rule, ...] = ("mean", "geometric mean", "dempster-shafer", "stacking")
"""What is tried, the simplest first; a later one is taken only if it is better."""

COVERAGE = 0.9
SENSITIVITIES = (0.9, 0.95)
UNCERTAIN = 0.15
"""Share of the validation images whose most probable diagnosis is the least probable: those answers are withheld."""

AGREEING = 0.98
"""Share of the validation images on which members do not contradict each other."""

_FOLDS = 5
_ROUNDING = 1e-9
_FEWEST = 10
"""Images of each class, below which no thresholds are worth their name."""


@dataclass(frozen=True, eq=False)
class MemberAnswers:
    """What the members of a mode say of N images that none has learnt from.

    Attributes:
        members: Their names, M.
        crops: Names of the C crops.
        classes: Names of the K diagnoses.
        probabilities: `[M, C, N, K]`.
        labels: `[N]`.
        groups: What belongs together, `[N]`.
        sources: Where each image comes from, `[N]`.
    """

    members: tuple[str, ...]
    crops: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: list[str]
    sources: list[str]

    def fitted(self, rule: Rule, rows: NDArray[np.intp]) -> EnsembleDescription:
        """A rule, with members and result calibrated on some of the images at their frequencies."""
        return fit_ensemble(
            self.probabilities[:, :, rows],
            self.labels[rows],
            [self.groups[row] for row in rows.tolist()],
            classes=self.classes,
            members=self.members,
            crops=self.crops,
            rule=rule,
            calibrated="members and result",
        )


@dataclass(frozen=True, eq=False)
class FittedMode:
    """What came out.

    Attributes:
        part: For `bundle.json`.
        log_losses: Of every rule that was tried, cross-validated by lesion.
        probabilities: `[N, K]`, of each image by the chosen rule, fitted without its fold; thresholds come from these.
    """

    part: ModePart
    log_losses: Mapping[Rule, float]
    probabilities: NDArray[np.float64]


def fit_mode(
    said: MemberAnswers,
    networks: Sequence[MemberPart],
    *,
    meaning: str,
    definition: str = "graz",
    rules: Sequence[Rule] = RULES,
    sensitivity: float = 0.95,
) -> FittedMode:
    """Choose the rule, calibrate it, and set every threshold.

    The rule with the lowest cross-validated log loss is taken; folds keep lesions whole. Thresholds come from the
    probabilities of the folds, which no image's own label has shaped; the mode itself is then fitted on all images.
    Operating points keep their sensitivity where every source weighs the same, however many images it has: a threshold
    of pooled images promises what it promises for the camera that took most of them.

    Args:
        said: What the members say.
        networks: Those of them that are networks.
        meaning: What the mode is for, in words.
        definition: Name of the malignancy definition.
        rules: What is tried.
        sensitivity: Share of malignant images that the mode flags.

    Raises:
        ValueError: If a diagnosis has too few images.
    """
    counts = np.bincount(said.labels, minlength=len(said.classes))
    if counts.min() < _FEWEST:
        few = [f"{name} {count}" for name, count in zip(said.classes, counts.tolist(), strict=True) if count < _FEWEST]
        raise ValueError(
            f"the validation images are too few to calibrate on: {', '.join(few)}; each diagnosis needs {_FEWEST}"
        )
    every = np.arange(len(said.labels))
    folds = list(StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0).split(every, said.labels, said.groups))
    found: dict[Rule, NDArray[np.float64]] = {}
    for rule in rules:
        found[rule] = np.zeros((len(every), len(said.classes)))
        for learnt, held in folds:
            found[rule][held] = Ensemble(said.fitted(rule, learnt)).combine(said.probabilities[:, :, held])
    losses = {rule: float(log_loss(said.labels, of, labels=range(len(said.classes)))) for rule, of in found.items()}
    rule = min(losses, key=losses.__getitem__)
    probabilities = found[rule]
    malignant_codes = taxonomy.malignancy_definition(definition).malignant
    is_malignant = np.array([code in malignant_codes for code in said.classes])
    risk, truth = probabilities[:, is_malignant].sum(axis=1), is_malignant[said.labels]
    melanoma = said.classes.index("MEL")
    sets = _sets(said, probabilities)
    part = ModePart(
        meaning=meaning,
        networks=tuple(networks),
        fusion=said.fitted(rule, every),
        frequencies=tuple(np.round(counts / counts.sum(), 6).tolist()),
        malignancy_definition=definition,
        malignancy_point=_point(risk, truth, said.sources, sensitivity, f"malignancy ({definition})"),
        points={
            f"{name}, sensitivity {share:.2f}": _point(score, positive, said.sources, share, name)
            for name, score, positive in (
                (f"malignancy ({definition})", risk, truth),
                ("melanoma", probabilities[:, melanoma], said.labels == melanoma),
            )
            for share in SENSITIVITIES
        },
        conformal=ConformalPart(
            method=sets.method,
            coverage=sets.coverage,
            thresholds=tuple(limit if np.isfinite(limit) else None for limit in sets.thresholds.tolist()),
            class_conditional=sets.class_conditional,
            images=tuple(sets.calibration_images.tolist()),
        ),
        abstention=AbstentionPart(
            most_disagreement=_most_disagreement(said.probabilities),
            least_certainty=round(float(np.quantile(probabilities.max(axis=1), UNCERTAIN)), 4),
        ),
    )
    return FittedMode(part, losses, probabilities)


def _sets(said: MemberAnswers, probabilities: NDArray[np.float64]) -> conformal.ConformalSets:
    """Calibrated on one image a lesion, as the promise needs images that do not depend on each other.

    In the world of the answer, where all diagnoses are equally frequent: there the rare ones no longer pay for the
    nevi. The promise itself is for all images together; what each diagnosis gets stands in the bundle's card.
    """
    _, first = np.unique(said.groups, return_index=True)
    odds = at_equal_frequencies(probabilities[first], np.bincount(said.labels) / len(said.labels))
    return conformal.fit(said.labels[first], odds, COVERAGE)


def _most_disagreement(said: NDArray[np.float64]) -> float | None:
    """How far members and crops `[M, C, N, K]` may be apart; a single voice contradicts nobody."""
    if said.shape[0] * said.shape[1] == 1:
        return None
    return round(float(np.quantile(member_disagreement(said), AGREEING)), 4)


def _point(
    score: NDArray[np.float64], positive: NDArray[np.bool_], sources: Sequence[str], sensitivity: float, what: str
) -> OperatingPoint:
    """The highest threshold that reaches a sensitivity as the mean over sources."""
    scores = score[positive]
    _, source, counts = np.unique(np.array(sources)[positive], return_inverse=True, return_counts=True)
    # A source with too few images to speak for itself goes with the largest.
    source = np.where(counts[source] < _FEWEST, counts.argmax(), source)
    _, source, counts = np.unique(source, return_inverse=True, return_counts=True)
    order = np.argsort(-scores, kind="stable")
    flagged = np.cumsum((1 / (counts * len(counts)))[source[order]])
    threshold = float(scores[order][np.searchsorted(flagged, sensitivity - _ROUNDING)])
    shared = f" of {len(counts)} sources that weigh the same" if len(counts) > 1 else ""
    return OperatingPoint(
        threshold=float(np.floor(threshold * 1e4) / 1e4),
        meaning=f"sensitivity {sensitivity:.2f} for {what} on {len(scores):,} held-out images{shared}",
    )
