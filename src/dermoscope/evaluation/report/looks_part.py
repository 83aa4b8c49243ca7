"""The part about a network that looks twice: where it looked, what it cut out, and what the second look was worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Difference, Estimate, Weights
from dermoscope.evaluation.looks import AVERAGE, FIRST_LOOK, LOOKS, SECOND_LOOK, Looks, read_looks, with_average
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.evaluation.report.document import Cell, Figure, NothingToShowError, Section, Table, Tile
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.truth import Matched
from dermoscope.images import ImageError, decode, read_mask

_LEAD = (
    "The network looks at an image, cuts out where the class activation map of the class it decides for is high, and "
    "looks again. Boxes never come from the true class."
)
_SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
_ANSWERS = (*LOOKS, AVERAGE)
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class _Scored:
    """The n images with an answer: what was said of them (`[n, K]` by look), their class, and what belongs together."""

    looks: Looks
    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    groups: tuple[str, ...]
    answers: dict[str, NDArray[np.float64]]


def looks_part(folder: Path, matched: Matched, where: str, settings: Settings) -> Part | None:
    """Compare the looks on the scored images.

    Args:
        folder: Of the training run.
        matched: The images.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.

    Returns:
        None if the run does not look twice, has answers to none of these images, or they show one class alone.

    Raises:
        InputError: If what the run wrote about its looks is broken.
    """
    looks = read_looks(folder, matched.truth.image_ids)
    if looks is None:
        return None
    scored = _scored(looks, matched)
    numbers_of = (looks.classes.index(name) for name in looks.ranked)
    ranked = [k for k in numbers_of if 0 < np.count_nonzero(scored.labels == k) < len(scored.labels)]
    if not ranked:
        return None
    settings.on_progress("Looks: intervals", 0, 1)
    drawn = Bootstrap(scored.groups, resamples=settings.resamples, seed=settings.seed)
    areas = _areas(scored, ranked, drawn)
    gains = {name: _gain(scored, ranked, drawn, name) for name in _ANSWERS if name != FIRST_LOOK}
    shared = _by_share(scored, ranked, drawn)
    on = f"{where}, n = {len(scored.rows):,}"
    names = [looks.classes[k] for k in ranked]
    numbers = {
        "n": len(scored.rows),
        "classes": names,
        "auc": areas,
        "gain": gains,
        "looked_at_twice": shared,
        "whole_because": dict(Counter(reason for reason in looks.reasons if reason)),
    }
    boxes, covered = _box_table(looks, matched, on)
    section = Section(
        "looks",
        "What the second look was worth",
        _LEAD,
        (_worth_table(areas, gains, names, on), _share_table(shared, on), boxes),
        _figures(scored, matched, names, ranked, settings),
    )
    tile = Tile("Second look, gain in mean AUC", f"{gains[SECOND_LOOK].value:+.3f}".replace("-", "−"), on)
    return Part("looks", section, {**numbers, "boxes": covered}, (tile,))


def _scored(looks: Looks, matched: Matched) -> _Scored:
    truth = matched.truth
    place = {name: row for row, name in enumerate(truth.image_ids)}
    labels = np.array([looks.label(truth.diagnoses[place[name]]) for name in looks.image_ids], np.intp)
    rows = np.flatnonzero(labels >= 0)
    groups = tuple(truth.groups[place[looks.image_ids[row]]] for row in rows.tolist())
    answers = with_average(*(looks.answers[look][rows] for look in LOOKS))
    return _Scored(looks, rows, labels[rows], groups, answers)


def _mean_area(scored: _Scored, ranked: list[int], answer: NDArray[np.float64]) -> _MeanArea:
    return _MeanArea([RankedScores(scored.labels == k, answer[:, k]) for k in ranked])


class _MeanArea:
    """The mean over classes of the AUC of each against the rest, and each of them, under weights of the images."""

    def __init__(self, of_classes: list[RankedScores]) -> None:
        self._of_classes = of_classes

    def each(self, weights: Weights) -> NDArray[np.float64]:
        """The mean, then every class; NaN where a resample has none of a class."""
        found = [scores.areas(weights).auc for scores in self._of_classes]
        return np.array([np.mean(found), *found])

    def mean(self, weights: Weights) -> float:
        """The mean alone."""
        return float(self.each(weights)[0])


def _areas(scored: _Scored, ranked: list[int], drawn: Bootstrap) -> dict[str, tuple[Estimate, ...]]:
    """Answer to its mean AUC and the AUC of every class."""
    return {name: drawn.estimates(_mean_area(scored, ranked, answer).each) for name, answer in scored.answers.items()}


def _gain(scored: _Scored, ranked: list[int], drawn: Bootstrap, name: str) -> Difference:
    after, before = (_mean_area(scored, ranked, scored.answers[look]) for look in (name, FIRST_LOOK))
    return drawn.paired(after.mean, before.mean)


def _by_share(scored: _Scored, ranked: list[int], drawn: Bootstrap) -> dict[float, Estimate]:
    """Mean AUC where only the images that the first look is least sure of are looked at again."""
    first, second = (scored.answers[look] for look in (FIRST_LOOK, SECOND_LOOK))
    least_sure = np.argsort(first.max(axis=1), kind="stable")
    found = {}
    for share in _SHARES:
        answer = first.copy()
        again = least_sure[: round(share * len(answer))]
        answer[again] = second[again]
        found[share] = drawn.estimate(_mean_area(scored, ranked, answer).mean)
    return found


def _worth_table(
    areas: Mapping[str, tuple[Estimate, ...]], gains: Mapping[str, Difference], names: list[str], on: str
) -> Table:
    rows: list[tuple[Cell, ...]] = [(name, areas[name][0], gains.get(name), *areas[name][1:]) for name in _ANSWERS]
    columns = ("Answer of the", "Mean AUC", "Beside the first look", *(f"AUC, {name}" for name in names))
    note = (
        "AUC of each class against all others; differences are paired. The average is of the first look and the "
        "second; at the third, the second network looks at what its own map cuts out."
    )
    return Table("looks", f"The looks compared: {on}", columns, tuple(rows), note)


def _share_table(shared: Mapping[float, Estimate], on: str) -> Table:
    rows: list[tuple[Cell, ...]] = [(f"{share:.0%}", estimate) for share, estimate in shared.items()]
    note = "The first look's least certain images take the answer of the second; the others keep that of the first."
    columns = ("Looked at twice", "Mean AUC")
    return Table("looks-by-share", f"A second look for uncertain images alone: {on}", columns, tuple(rows), note)


def _box_table(looks: Looks, matched: Matched, on: str) -> tuple[Table, dict[str, object]]:
    """How large the boxes are, why some are the whole view, and how much of the lesion they hold."""
    place = {name: row for row, name in enumerate(matched.truth.image_ids)}
    held, filled = [], []
    for name, (left, top, right, bottom), reason in zip(looks.image_ids, looks.boxes, looks.reasons, strict=True):
        path = matched.truth.mask_paths[place[name]]
        if path is None or reason or not path.is_file():
            continue
        mask = read_mask(path)
        inside = mask[top:bottom, left:right]
        if mask.any():
            held.append(float(inside.sum() / mask.sum()))
            filled.append(float(inside.mean()) if inside.size else 0.0)
    counts = Counter(looks.reasons)
    rows: list[tuple[Cell, ...]] = [(reason or "cut out", count) for reason, count in sorted(counts.items())]
    if held:
        rows.append(("share of the lesion inside the box, median", float(np.median(held))))
        rows.append(("boxes with nine tenths of the lesion or more", float(np.mean(np.array(held) >= 0.9))))
        rows.append(("share of the box that is lesion, median", float(np.median(filled))))
    note = "Where a map is all negative, or its box too small or too large to be believed, the whole view is seen."
    numbers = {"counts": dict(counts), "with_mask": len(held), "lesion_inside": held and float(np.median(held))}
    table = Table("look-boxes", f"Boxes of the second look: {on}", ("Box", "Images or share"), tuple(rows), note)
    return table, numbers


def _figures(
    scored: _Scored, matched: Matched, names: list[str], ranked: list[int], settings: Settings
) -> tuple[Figure, ...]:
    def roc(k: int, path: Path) -> None:
        from dermoscope.evaluation.figures import roc_curve

        curves = {look: scored.answers[look][:, k] for look in (FIRST_LOOK, SECOND_LOOK)}
        roc_curve(
            scored.labels == k,
            curves,
            path,
            groups=scored.groups,
            positive_name=scored.looks.classes[k],
            resamples=settings.resamples,
            seed=settings.seed,
        )

    figures = [
        Figure(f"looks-roc-{name}", f"{name} against the rest, both looks.", lambda path, k=k: roc(k, path))  # type: ignore[misc]
        for name, k in zip(names, ranked, strict=True)
    ]
    caption = (
        "Where the network looked and what it cut out, for right and wrong answers of the second look. Photographs may "
        "be under a licence that limits sharing."
    )
    draw = lambda path: _gallery(scored, matched, settings, path)  # noqa: E731
    return (*figures, Figure("looks-gallery", caption, draw, wide=True, suffix=".png"))


def _gallery(scored: _Scored, matched: Matched, settings: Settings, path: Path) -> None:
    from dermoscope.evaluation.figures import LookCase, look_gallery

    settings.on_progress("Looks: figures", 0, 1)
    place = {name: row for row, name in enumerate(matched.truth.image_ids)}
    looks = scored.looks
    before, after = (scored.answers[look].argmax(axis=1) == scored.labels for look in (FIRST_LOOK, SECOND_LOOK))
    kinds = {
        "right twice": before & after,
        "mended": ~before & after,
        "spoilt": before & ~after,
        "wrong twice": ~before & ~after,
    }

    def case(number: int) -> LookCase | None:
        row = int(scored.rows[number])
        image = place[looks.image_ids[row]]
        try:
            rgb = decode(matched.truth.image_paths[image]).rgb
        except ImageError:
            return None
        said = [looks.classes[int(scored.answers[look][number].argmax())] for look in (FIRST_LOOK, SECOND_LOOK)]
        words = f"{looks.classes[int(scored.labels[number])]}: {said[0]}, then {said[1]}"
        name = looks.image_ids[row] if settings.keep_names else ""
        cam = None if looks.maps is None else looks.maps[row]
        return LookCase(" · ".join(word for word in (name, words) if word), rgb, looks.boxes[row], cam)

    rows = {}
    for kind, chosen in kinds.items():
        # Evenly over the images, so that nobody has chosen them.
        numbers = np.flatnonzero(chosen)
        some = numbers[np.linspace(0, len(numbers) - 1, min(_SHOWN, len(numbers))).astype(int)] if len(numbers) else []
        rows[f"{kind}, {len(numbers):,}"] = [found for number in some if (found := case(int(number)))]
    if not any(rows.values()):
        raise NothingToShowError
    look_gallery(rows, path)
