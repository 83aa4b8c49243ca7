"""Scoring mask files: which belong together, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.masks import MaskScores, mask_scores
from dermoscope.evaluation.problems import Problems
from dermoscope.evaluation.truth import Matched
from dermoscope.images import ImageError, read_mask

PROMPTS = ("auto", "jittered-box", "ground-truth-box")
"""Where the prompt of a segmentation model came from; `auto` also for models that take none."""


@dataclass(frozen=True)
class MaskTask:
    """The masks of the n images that have a true mask.

    Attributes:
        prompt: One of `PROMPTS`.
        images: `[n]` which of the matched images these are.
        scores: `[n]`.
        groups: `[n]` what belongs together.
        types: `[n]` lesion type; `unknown` where the diagnosis is.
        files: `[n]` predicted mask; none where the model gave none, which counts as an empty mask.
    """

    prompt: str
    images: NDArray[np.intp]
    scores: tuple[MaskScores, ...]
    groups: tuple[str, ...]
    types: tuple[str, ...]
    files: tuple[Path | None, ...]

    @property
    def without_mask(self) -> int:
        """Images for which the model gave no mask."""
        return sum(file is None for file in self.files)


def score_mask_files(
    matched: Matched,
    folder: Path | None,
    prompt: str,
    problems: Problems,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> MaskTask | None:
    """Score every predicted mask that has a true one.

    Args:
        matched: Predictions with truth.
        folder: Folder of predicted masks, `<image_id>.png` or `<image_id>_segmentation.png`; by default those that the
            results name.
        prompt: One of `PROMPTS`.
        problems: Where missing, unreadable and ill-sized masks are noted.
        on_progress: Called with the images done and their number.

    Returns:
        None if no image has both masks.
    """
    masks = matched.predictions.masks
    if folder is None and (masks is None or not any(masks)):
        return None
    images = [image for image, path in enumerate(matched.truth.mask_paths) if path is not None]
    scores: list[MaskScores] = []
    files: list[Path | None] = []
    for done, image in enumerate(images, 1):
        path = _given(matched, image) if folder is None else _found(matched, image, folder, problems)
        score = _score(matched, image, path, problems)
        if score is not None:
            scores.append(score)
            files.append(path)
        on_progress(done, len(images))
    if problems.count or not images:
        return None
    return MaskTask(
        prompt=prompt,
        images=np.array(images, np.intp),
        scores=tuple(scores),
        groups=tuple(matched.truth.groups[image] for image in images),
        types=tuple(matched.truth.diagnoses[image] or "unknown" for image in images),
        files=tuple(files),
    )


def _given(matched: Matched, image: int) -> Path | None:
    name = (matched.predictions.masks or ())[image]
    return matched.predictions.path.parent / name if name else None


def _found(matched: Matched, image: int, folder: Path, problems: Problems) -> Path | None:
    names = dict.fromkeys((matched.predictions.image_ids[image], matched.truth.image_ids[image]))
    for name in names:
        for path in (folder / f"{name}.png", folder / f"{name}_segmentation.png"):
            if path.is_file():
                return path
    row = int(matched.predictions.rows[image])
    problems.add(folder, f"no mask for {next(iter(names))!r}; expected {next(iter(names))}.png", row, "image_id")
    return None


def _score(matched: Matched, image: int, path: Path | None, problems: Problems) -> MaskScores | None:
    target = matched.truth.mask_paths[image]
    assert target is not None  # only images with a true mask come here
    truth = _read(target, matched.manifest, int(matched.truth.rows[image]), "mask_path", problems)
    if truth is None:
        return None
    row, table = int(matched.predictions.rows[image]), matched.predictions.path
    predicted = np.zeros_like(truth) if path is None else _read(path, table, row, "mask", problems)
    if predicted is None:
        return None
    if predicted.shape != truth.shape:
        (height, width), (true_height, true_width) = predicted.shape, truth.shape
        reason = (
            f"{path} is {width} × {height}, the true mask {true_width} × {true_height}; save it at the image's size"
        )
        problems.add(table, reason, row, "mask")
        return None
    return mask_scores(predicted, truth)


def _read(path: Path, table: Path, row: int, column: str, problems: Problems) -> NDArray[np.bool_] | None:
    try:
        return read_mask(path)
    except ImageError as error:
        problems.add(table, str(error), row, column)
        return None
