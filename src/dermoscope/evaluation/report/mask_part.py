"""The part about masks: per image, per lesion type and pooled, named apart, with the source of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dermoscope.evaluation.columns import CLASS_ORDER
from dermoscope.evaluation.mask_files import MaskTask
from dermoscope.evaluation.masks import MASK_METRICS, MaskSummary, summarise
from dermoscope.evaluation.report.document import Cell, Figure, NothingToShowError, Section, Table, Tile
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.truth import Matched
from dermoscope.images import ImageError, decode, read_mask

PROMPT_NAMES = {
    "auto": "auto (found by the program itself, or no prompt at all)",
    "jittered-box": "jittered box (from the true mask, moved at random)",
    "ground-truth-box": "ground-truth box (from the true mask)",
}
"""Prompt source in the words of a report."""

_HEADS = ("Dice", "Jaccard", "Thresholded Jaccard", "Pixel accuracy", "95 % Hausdorff, % of diagonal")
_SHOWN = 5


def mask_part(task: MaskTask, matched: Matched, where: str, settings: Settings) -> Part:
    """Score the masks.

    Args:
        task: Scores of every image.
        matched: What they belong to, for the gallery.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.
    """
    settings.on_progress("Masks: intervals", 0, 1)
    found = summarise(task.scores, task.groups, task.types, resamples=settings.resamples, seed=settings.seed)
    on = f"{where}, n = {len(task.scores):,}, prompt: {task.prompt}"
    notes = [
        "The averages differ and are named apart: per image every lesion counts alike, in the mean over types every "
        "lesion type, in pooled pixels every pixel.",
    ]
    if task.without_mask:
        notes.append(f"{task.without_mask:,} images got no mask, which counts as an empty one.")
    if task.prompt != "auto":
        notes.append(
            "The prompt came from the true mask. Such numbers say how well a box is refined, not how well a lesion is "
            "found; set them beside numbers with an automatic prompt."
        )
    dice = next(each.estimate for each in found if each.averaging == "per image" and each.metric == "dice")
    numbers = {
        "n": len(task.scores),
        "prompt": task.prompt,
        "without_mask": task.without_mask,
        "averages": [
            {"averaging": each.averaging, "lesion_type": each.lesion_type, "metric": each.metric}
            | {"estimate": each.estimate}
            for each in found
        ],
    }
    section = Section(
        "masks",
        "Lesion masks",
        f"Predicted against true masks at the images' own size. Prompt: {PROMPT_NAMES[task.prompt]}.",
        (_table(found, on),),
        _figures(task, matched, settings),
        tuple(notes),
    )
    tile = Tile("Dice, per image", dice, f"{len(task.scores):,} images, prompt: {task.prompt}")
    return Part("masks", section, numbers, (tile,))


def _table(found: Sequence[MaskSummary], on: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    order = {code: place for place, code in enumerate(CLASS_ORDER)}
    names = dict.fromkeys((each.averaging, each.lesion_type) for each in found)
    for averaging, kind in sorted(names, key=lambda name: _place(name[0], name[1], order)):
        of = {each.metric: each.estimate for each in found if (each.averaging, each.lesion_type) == (averaging, kind)}
        name = f"{averaging}: {kind}" if kind else averaging
        rows.append((name, next(iter(of.values())).n, *(of.get(metric) for metric in MASK_METRICS)))
    note = (
        "With 95 % intervals: bootstrap over groups (patient, else lesion). Thresholded Jaccard: zero below "
        "0.65, as ISIC 2018 Task 1 ranks; the distance is lower for better masks."
    )
    return Table("masks", f"Masks: {on}", ("Average", "Images", *_HEADS), tuple(rows), note, {_HEADS[-1]: 2})


def _place(averaging: str, kind: str | None, order: dict[str, int]) -> tuple[int, int, str]:
    places = ("per image", "mean over types", "pooled pixels", "per lesion type")
    return places.index(averaging), order.get(kind or "", len(order)), kind or ""


def _figures(task: MaskTask, matched: Matched, settings: Settings) -> tuple[Figure, ...]:
    dice = np.array([score.dice for score in task.scores])
    prompt = task.prompt.replace("-box", " box")

    def by_type(path: Path) -> None:
        from dermoscope.evaluation.figures import dice_by_type

        settings.on_progress("Masks: figures", 0, 2)
        dice_by_type(dice, task.types, path, prompt=prompt, order=CLASS_ORDER)

    figures = [Figure("masks-dice-by-type", "Dice by lesion type, per image.", by_type, wide=True)]
    if _has_images(task, matched):
        caption = "Worst, median and best masks. Photographs may be under a licence that limits sharing."
        figures.append(
            Figure(
                "masks-gallery", caption, lambda path: _gallery(task, matched, settings, path), wide=True, suffix=".png"
            )
        )
    return tuple(figures)


def _has_images(task: MaskTask, matched: Matched) -> bool:
    return all(matched.truth.image_paths[image].is_file() for image in _chosen(task))


def _chosen(task: MaskTask) -> list[int]:
    from dermoscope.evaluation.figures import worst_median_best

    choice = worst_median_best(np.array([score.dice for score in task.scores]), _SHOWN)
    return [int(task.images[row]) for row in (*choice.worst, *choice.median, *choice.best)]


def _gallery(task: MaskTask, matched: Matched, settings: Settings, path: Path) -> None:
    from dermoscope.evaluation.figures import Case, gallery, worst_median_best

    settings.on_progress("Masks: figures", 1, 2)
    choice = worst_median_best(np.array([score.dice for score in task.scores]), _SHOWN)

    def case(row: int) -> Case | None:
        image = int(task.images[row])
        truth_path, file = matched.truth.mask_paths[image], task.files[row]
        assert truth_path is not None  # the task holds only images with a true mask
        truth = read_mask(truth_path)
        try:
            rgb = decode(matched.truth.image_paths[image]).rgb
        except ImageError:
            return None
        if rgb.shape[:2] != truth.shape:
            return None
        predicted = np.zeros_like(truth) if file is None else read_mask(file)
        name = matched.truth.image_ids[image] if settings.keep_names else ""
        kind = task.types[row] if file is not None else f"{task.types[row]}, no mask"
        return Case(name, rgb, truth, predicted, task.scores[row].dice, kind)

    worst, median, best = (
        [found for row in rows if (found := case(row))] for rows in (choice.worst, choice.median, choice.best)
    )
    if not (worst or median or best):
        raise NothingToShowError
    gallery(worst, median, best, path, n=len(task.scores), prompt=task.prompt.replace("-box", " box"))
