"""The questions that predictions answer: several classes, or one thing against the rest, with the truth beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.evaluation.problems import InputError, Problem
from dermoscope.evaluation.truth import Matched, class_of

DEFAULT_THRESHOLD = 0.5
"""Where an image counts as flagged if neither the predictions nor validation images say."""

OWN_DECISION = "the gate's own decision"
"""Where the line of a gate comes from that says what is skin."""


@dataclass(frozen=True)
class ClassTask:
    """One of several classes, for the n images that have an answer.

    Attributes:
        key: `diagnosis` or `group`.
        title: For a person.
        classes: Names of the classes.
        labels: `[n]` true class.
        probabilities: `[n, K]`.
        images: `[n]` which of the matched images these are.
        groups: `[n]` what belongs together.
        left_out: Diagnosis to the number of images without an answer to this question.
        sums_to_one: Whether the scores of an image are a distribution.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    labels: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    images: NDArray[np.intp]
    groups: tuple[str, ...]
    left_out: Mapping[str, int]
    sums_to_one: bool = True


@dataclass(frozen=True)
class BinaryTask:
    """One thing against the rest, for the n images that have an answer.

    Attributes:
        key: Such as `malignancy`.
        title: For a person, the definition included.
        meaning: What positive and negative mean, in a sentence.
        positive: `[n]`.
        score: `[n]`, higher means more likely positive.
        images: `[n]` which of the matched images these are.
        groups: `[n]` what belongs together.
        threshold: At or above it an image is called positive; none where the decision was made elsewhere.
        threshold_source: Where the threshold comes from.
        left_out: Diagnosis to the number of images without an answer to this question.
        everywhere: `[N]` the score of every matched image, whether the question has an answer there or not.
        decided: `[n]` the decision, where it is not made by a threshold.
    """

    key: str
    title: str
    meaning: str
    positive: NDArray[np.bool_]
    score: NDArray[np.float64]
    images: NDArray[np.intp]
    groups: tuple[str, ...]
    threshold: float | None
    threshold_source: str
    left_out: Mapping[str, int]
    everywhere: NDArray[np.float64]
    decided: NDArray[np.bool_] | None = None

    @property
    def called(self) -> NDArray[np.bool_]:
        """`[n]` what is called positive."""
        if self.decided is not None:
            return self.decided
        return np.asarray(self.score >= (DEFAULT_THRESHOLD if self.threshold is None else self.threshold))


def class_tasks(matched: Matched) -> tuple[ClassTask, ...]:
    """Diagnosis and lesion group, as far as the predictions have them and the images have an answer."""
    predictions, found = matched.predictions, []
    if predictions.classes:
        place = {code: class_of(code, predictions.classes) for code in set(matched.truth.diagnoses)}
        labels = [place[code] for code in matched.truth.diagnoses]
        found.append(
            _class_task(
                "diagnosis",
                "Diagnosis",
                predictions.classes,
                labels,
                predictions.probabilities,
                matched,
                predictions.sums_to_one,
            )
        )
    if predictions.groups:
        order = {group: number for number, group in enumerate(predictions.groups)}
        labels = [order.get(taxonomy.GROUP_OF.get(code, ""), -1) for code in matched.truth.diagnoses]
        found.append(
            _class_task("group", "Lesion group", predictions.groups, labels, predictions.group_probabilities, matched)
        )
    return tuple(task for task in found if len(task.labels))


def binary_tasks(matched: Matched, positive: str | None = None) -> tuple[BinaryTask, ...]:
    """The main binary question first, then melanoma, seborrheic keratosis and the gate where they are predicted.

    Args:
        matched: Predictions with truth.
        positive: Name of a malignancy definition or a diagnosis code; by default the definition the predictions name,
            else `graz` where classes are given, else melanoma. By default nothing is summed from classes that are all
            malignant, or all benign.

    Raises:
        InputError: If the predictions cannot answer the wanted question.
        ValueError: If `positive` is neither a definition nor a code.
    """
    predictions = matched.predictions
    scores = predictions.scores
    wanted = positive or predictions.definition or ("graz" if predictions.classes else "")
    if not positive and wanted and "p_malignant" not in scores and _one_sided(predictions.classes, wanted):
        wanted = ""
    found = []
    if wanted in taxonomy.CODE_NAMES:
        found.append(_of_code(matched, wanted))
    elif wanted:
        found.append(_of_definition(matched, wanted))
    has_melanoma = "p_melanoma" in scores or "MEL" in predictions.classes
    if has_melanoma and wanted not in ("MEL", "melanoma"):
        found.append(_of_definition(matched, "melanoma", key="melanoma"))
    for name in scores:
        code = "BKL" if name == "p_seborrheic_keratosis" else name.removeprefix("p_")
        if code in taxonomy.CODE_NAMES and code != wanted:
            found.append(_of_code(matched, code))
    if "p_skin" in scores and taxonomy.NOT_SKIN in matched.truth.diagnoses:
        found.append(_gate(matched))
    return tuple(task for task in found if len(task.positive))


def _class_task(
    key: str,
    title: str,
    classes: tuple[str, ...],
    labels: Sequence[int],
    probabilities: NDArray[np.float64],
    matched: Matched,
    sums_to_one: bool = True,
) -> ClassTask:
    label = np.array(labels, np.intp)
    images = np.flatnonzero(label >= 0)
    return ClassTask(
        key=key,
        title=title,
        classes=classes,
        labels=label[images],
        probabilities=probabilities[images],
        images=images,
        groups=tuple(matched.truth.groups[image] for image in images),
        left_out=_left_out(matched, images),
        sums_to_one=sums_to_one,
    )


def _of_definition(matched: Matched, name: str, key: str = "malignancy") -> BinaryTask:
    definition = taxonomy.malignancy_definition(name)
    predictions = matched.predictions
    threshold, source = None, ""
    if "p_malignant" in predictions.scores and predictions.definition in (name, ""):
        score = predictions.scores["p_malignant"]
        if predictions.threshold is not None:
            threshold, source = predictions.threshold, "operating point of the model, chosen on validation images"
    elif name == "melanoma" and "p_melanoma" in predictions.scores:
        score = predictions.scores["p_melanoma"]
    else:
        score = _summed(matched, definition)
    title = "Melanoma" if name == "melanoma" else f"Malignancy ({name})"
    return _binary(
        matched, key, title, definition.description, definition.malignant, definition.benign, score, threshold, source
    )


def _of_code(matched: Matched, code: str) -> BinaryTask:
    predictions = matched.predictions
    names = [f"p_{code}", *(["p_seborrheic_keratosis"] if code == "BKL" else [])]
    names += ["p_melanoma"] if code == "MEL" else []
    given = [name for name in names if name in predictions.scores]
    if given:
        score = predictions.scores[given[0]]
    elif code in predictions.classes:
        score = predictions.probabilities[:, predictions.classes.index(code)]
    else:
        reason = f"the column is missing, and --positive asks for {code}; the file has {_has(matched)}"
        raise InputError((Problem(predictions.path, reason, 1, code),), 1)
    positive = {"AK", "SCC", "AKIEC"} if code == "AKIEC" else {code}
    negative = (
        set(taxonomy.CODE_NAMES) - positive - {taxonomy.NOT_SKIN} - ({"AKIEC"} if code in ("AK", "SCC") else set())
    )
    name = taxonomy.CODE_NAMES[code]
    return _binary(
        matched, code, name.capitalize(), f"{name.capitalize()} against all other diagnoses.", positive, negative, score
    )


def _gate(matched: Matched) -> BinaryTask:
    predictions = matched.predictions
    codes = set(taxonomy.CODE_NAMES) - {taxonomy.NOT_SKIN} | {""}
    task = _binary(
        matched,
        "gate",
        "Skin gate",
        "Images of skin, with a lesion or without, against everything else.",
        codes,
        {taxonomy.NOT_SKIN},
        predictions.scores["p_skin"],
    )
    if predictions.is_skin is None:
        return task
    decided = predictions.is_skin[task.images]
    return replace(task, decided=decided, threshold=None, threshold_source=OWN_DECISION)


def _binary(
    matched: Matched,
    key: str,
    title: str,
    meaning: str,
    positive: set[str] | frozenset[str],
    negative: set[str] | frozenset[str],
    score: NDArray[np.float64],
    threshold: float | None = None,
    threshold_source: str = "",
) -> BinaryTask:
    codes = matched.truth.diagnoses
    images = np.array([n for n, code in enumerate(codes) if code in positive or code in negative], np.intp)
    return BinaryTask(
        key=key,
        title=title,
        meaning=meaning,
        positive=np.array([codes[image] in positive for image in images], np.bool_),
        score=score[images],
        images=images,
        groups=tuple(matched.truth.groups[image] for image in images),
        threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
        threshold_source=threshold_source or "fixed, not chosen on any images",
        left_out=_left_out(matched, images),
        everywhere=score,
    )


def _summed(matched: Matched, definition: taxonomy.MalignancyDefinition) -> NDArray[np.float64]:
    """The probability of the malignant classes together."""
    predictions = matched.predictions
    undecided = [code for code in predictions.classes if code not in definition.decided | {taxonomy.UNKNOWN}]
    if not predictions.classes or undecided:
        what = f"{undecided[0]} is undecided under {definition.name}" if undecided else f"the file has {_has(matched)}"
        known = ", ".join(taxonomy.MALIGNANCY_DEFINITIONS)
        reason = f"holds no probability of malignancy by {definition.name}: {what}; choose another --positive ({known})"
        raise InputError((Problem(predictions.path, reason, 1, "p_malignant"),), 1)
    if _one_sided(predictions.classes, definition.name):
        reason = f"{', '.join(predictions.classes)} are all on one side of {definition.name}, which leaves nothing to "
        raise InputError((Problem(predictions.path, f"{reason}tell apart; choose another --positive", 1),), 1)
    chosen = [number for number, code in enumerate(predictions.classes) if code in definition.malignant]
    total: NDArray[np.float64] = predictions.probabilities[:, chosen].sum(axis=1)
    return np.clip(total, 0.0, 1.0)


def _one_sided(classes: Sequence[str], definition: str) -> bool:
    """Whether there are classes, and none is malignant or none is benign."""
    meaning = taxonomy.malignancy_definition(definition)
    return bool(classes) and not (meaning.malignant & set(classes) and meaning.benign & set(classes))


def _has(matched: Matched) -> str:
    return ", ".join([*matched.predictions.classes, *matched.predictions.scores]) or "no probabilities"


def _left_out(matched: Matched, images: NDArray[np.intp]) -> dict[str, int]:
    everything = Counter(matched.truth.diagnoses)
    everything.subtract(Counter(matched.truth.diagnoses[image] for image in images))
    return {code or "no diagnosis": count for code, count in sorted(everything.items()) if count}
