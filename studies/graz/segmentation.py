"""The segmentation page of the thesis: two grayscale extrema as prompts, three masks each, rules, pictures.

Each image gets two clicks, on its darkest and its brightest place. SAM answers each with three masks. Dropped are masks
of more than 80 % of the image and those that overlap a better one by more than 95 %; the others are kept, those in
fewer pieces first. Nothing here trains, and nothing is used for classification.

    python studies/graz/segmentation.py --data $DERMOSCOPE_DATA --weights weights --out runs/graz/segmentation

Writes one side-by-side picture an image, which shows a patient's image and stays out of the repository, and the
statistics of the rules as JSON and as a figure.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.progress import track

from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.evaluation.figures import style
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, draw_outline, field_of_view, read_mask, save_png, working_copy
from dermoscope.segment.prompts import Prompt, bright_extremum, dark_extremum
from dermoscope.segment.sam2_decoder import Sam2Decoder
from dermoscope.segment.selection import Candidate, SelectionRules, select_mask

CONTRACT = InputContract(size=512, fit="squash", scaling="imagenet", map_size=32)
THESIS_RULES = SelectionRules(
    mask_tokens=(1, 2, 3), largest_share=0.8, smallest_share=0.0, most_pieces=10**6, most_border=1.0,
    least_predicted_iou=0.0, least_stability=0.0, duplicate_iou=0.95,
)  # fmt: skip
PANEL = 256


@dataclass(frozen=True)
class Found:
    """One image's candidates, their masks, and how good the survivors are.

    Attributes:
        candidates: Six, in the order of prompts and masks.
        masks: `[6, H, W]` bool.
        order: Indices of the survivors, fewest pieces first, then the higher predicted IoU.
        first_dice: Dice of the first survivor; 0 where none is left.
        best_dice: Dice of the survivor that fits the truth best.
    """

    candidates: tuple[Candidate, ...]
    masks: NDArray[np.bool_]
    order: tuple[int, ...]
    first_dice: float
    best_dice: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ISIC2018_256 and splits")
    parser.add_argument("--weights", type=Path, required=True, help="folder with sam2_hiera_tiny.safetensors")
    parser.add_argument("--out", type=Path, default=Path("runs/graz/segmentation"))
    parser.add_argument("--count", type=int, default=120, help="validation images")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    decoder = Sam2Decoder.from_file(arguments.weights / "sam2_hiera_tiny.safetensors", CONTRACT)
    found = []
    for image_id, image, truth_path in track(validation_images(arguments.data)[: arguments.count], "extrema"):
        rgb, truth = decode(image).rgb, read_mask(truth_path)
        prompts, one = segment(rgb, truth, decoder)
        save_png(side_by_side(rgb, prompts, one), arguments.out / f"{image_id}.png")
        found.append(one)
    result = statistics(found)
    (arguments.out / "segmentation.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    draw_statistics(result, arguments.out / "segmentation-rules.svg")
    print(json.dumps(result, indent=2))


def validation_images(data: Path) -> list[tuple[str, Path, Path]]:
    """Id, image and mask of the validation images of ISIC 2018 Task 1, full frame."""
    root = data / "ISIC2018_256"
    with (data / "splits" / "isic2018_task1_seg.csv").open(newline="", encoding="utf-8") as stream:
        ids = [row["image"] for row in csv.DictReader(stream) if row["split"] == "val"]
    return [
        (
            one,
            root / "ISIC2018_Task1-2_Training_Input" / f"{one}.jpg",
            root / "ISIC2018_Task1_Training_GroundTruth" / f"{one}_segmentation.png",
        )
        for one in ids
    ]


def segment(
    rgb: NDArray[np.uint8], truth: NDArray[np.bool_], decoder: Sam2Decoder
) -> tuple[tuple[Prompt, Prompt], Found]:
    """Prompt with the two extrema, judge the six masks, and compare the survivors with the truth."""
    small = working_copy(rgb)
    view = field_of_view(small)
    prompts = (dark_extremum(small, view), bright_extremum(small, view))
    decoder.look_at(prepare(rgb, CONTRACT), small.shape[:2])
    logits, overlaps = decoder(prompts)
    # Shares are of the whole image in the thesis, not of the field of view.
    everything = np.ones(small.shape[:2], np.bool_)
    names = [prompt.name for prompt in prompts]
    selection = select_mask(logits, overlaps, names, small, everything, THESIS_RULES)
    height, width = truth.shape
    flat = logits[:, list(THESIS_RULES.mask_tokens)].reshape(-1, *logits.shape[2:])
    masks = np.stack([np.asarray(cv2.resize(one, (width, height)) > 0) for one in flat])
    kept = [index for index, candidate in enumerate(selection.candidates) if candidate.kept]
    order = sorted(kept, key=lambda i: (selection.candidates[i].pieces, -selection.candidates[i].predicted_iou))
    dice = [mask_scores(masks[index], truth).dice for index in order]
    return prompts, Found(selection.candidates, masks, tuple(order), dice[0] if dice else 0.0, max(dice, default=0.0))


def statistics(found: Sequence[Found]) -> dict[str, Any]:
    """What each rule dropped, how many masks are left, and how good they are."""
    fates: dict[str, Counter[str]] = {}
    for one in found:
        for candidate in one.candidates:
            fates.setdefault(candidate.prompt, Counter())[fate(candidate)] += 1
    survivors = Counter(len(one.order) for one in found)
    pieces = Counter(min(candidate.pieces, 5) for one in found for candidate in one.candidates)
    return {
        "images": len(found),
        "prompt": "dark and bright extremum",
        "rules": {name: dict(sorted(counts.items())) for name, counts in fates.items()},
        "survivors an image": dict(sorted(survivors.items())),
        "pieces a mask (5 and more as 5)": dict(sorted(pieces.items())),
        "dice of the first survivor": asdict(mean([one.first_dice for one in found])),
        "dice of the best survivor, chosen with the truth": asdict(mean([one.best_dice for one in found])),
    }


def draw_statistics(result: dict[str, Any], path: Path) -> None:
    """What became of the masks of each click, and how many are left of an image."""
    with style.page(
        path, style.DOUBLE, 2.4, note=f"n = {result['images']:,} images, two clicks and six masks each"
    ) as figure:
        left, right = figure.subplots(1, 2)
        fates = list(dict.fromkeys(fate for counts in result["rules"].values() for fate in counts))
        for row, counts in enumerate(result["rules"].values()):
            start = 0
            for number, one in enumerate(fates):
                count = counts.get(one, 0)
                colour = style.COLOURS[number % len(style.COLOURS)]
                left.barh(row, count, left=start, color=colour)
                if count:
                    left.text(start + count / 2, row, f"{count}", ha="center", va="center", color="white")
                start += count
        left.set_yticks(range(len(result["rules"])), list(result["rules"]))
        left.set_xlabel("Masks")
        handles = [Patch(color=style.COLOURS[n % len(style.COLOURS)], label=one) for n, one in enumerate(fates)]
        left.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=style.SMALL)
        survivors = result["survivors an image"]
        right.bar(list(survivors), list(survivors.values()), color=style.BLUE)
        right.set(xlabel="Masks left of six", ylabel="Images", xticks=range(7))


def fate(candidate: Candidate) -> str:
    """What became of a mask, without the numbers of its reason."""
    if candidate.kept:
        return "kept"
    if candidate.reason.startswith("covers"):
        return "more than 80 % of the image"
    if candidate.reason.startswith("same as"):
        return "overlaps a better one by more than 95 %"
    return candidate.reason


def mean(values: Sequence[float]) -> Estimate:
    """Mean over images with its interval."""
    scores = np.array(values)
    return grouped_bootstrap(lambda rows: float(scores[rows].mean()), [str(index) for index in range(len(values))])


def side_by_side(rgb: NDArray[np.uint8], prompts: Sequence[Prompt], found: Found) -> NDArray[np.uint8]:
    """The image with its two clicks, then every survivor outlined."""
    small = working_copy(rgb).copy()
    for prompt, colour in zip(prompts, ((255, 255, 255), (0, 0, 0)), strict=True):
        x, y = (round(float(value)) for value in prompt.points[0])
        cv2.drawMarker(small, (x, y), colour, cv2.MARKER_CROSS, 17, 5, cv2.LINE_AA)
        cv2.drawMarker(small, (x, y), tuple(255 - part for part in colour), cv2.MARKER_CROSS, 15, 2, cv2.LINE_AA)
    panels = [small, *(draw_outline(working_copy(rgb), found.masks[index]) for index in found.order)]
    tall = [cv2.resize(one, (round(one.shape[1] * PANEL / one.shape[0]), PANEL)) for one in panels]
    return np.ascontiguousarray(np.concatenate(tall, axis=1), dtype=np.uint8)


if __name__ == "__main__":
    main()
