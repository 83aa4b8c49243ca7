"""Tiny predictions with their truth, as files: thirty images of five classes, two images a lesion, masks of 40 × 32."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("MEL", "NV", "BCC", "BKL", "VASC")
IMAGES = 30


def image_id(number: int) -> str:
    return f"ISIC_{number:07d}"


def diagnosis(number: int) -> str:
    return CLASSES[(number // 2) % len(CLASSES)]


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def manifest_rows(split: str = "test", start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "image_id": image_id(number),
            "path": f"images/{image_id(number)}.png",
            "mask_path": f"truth/{image_id(number)}.png",
            "diagnosis": diagnosis(number),
            "source": "A" if number % 4 < 2 else "B",
            "lesion_id": f"lesion {number // 2}",
            "split": split,
            "age": 15 + 2 * (number % 30),
            "sex": ("male", "female")[number // 2 % 2],
            "site": "back",
        }
        for number in range(start, start + IMAGES)
    ]


def probabilities(seed: int = 0, skill: float = 1.5) -> NDArray[np.float64]:
    """`[30, 5]`, better than chance."""
    logits = np.random.default_rng(seed).normal(size=(IMAGES, len(CLASSES)))
    logits[np.arange(IMAGES), [CLASSES.index(diagnosis(number)) for number in range(IMAGES)]] += skill
    exact = np.exp(logits)
    return np.asarray(np.round(exact / exact.sum(axis=1, keepdims=True), 5))


def prediction_rows(seed: int = 0, start: int = 0, skill: float = 1.5) -> list[dict[str, object]]:
    return [
        {"image_id": image_id(start + number), **dict(zip(CLASSES, row.tolist(), strict=True))}
        for number, row in enumerate(probabilities(seed, skill))
    ]


def result_rows(seed: int = 0, start: int = 0) -> list[dict[str, object]]:
    """As `dermoscope analyze` writes them, with the columns that matter here."""
    rows: list[dict[str, object]] = []
    for number, row in enumerate(probabilities(seed)):
        of = dict(zip(CLASSES, row.tolist(), strict=True))
        name = image_id(start + number)
        rows.append(
            {
                "image_id": name,
                "path": "",
                "status": "done",
                "is_skin": True,
                "p_skin": 0.99,
                "p_melanocytic": of["MEL"] + of["NV"],
                "p_carcinoma": of["BCC"],
                "p_keratosis": of["BKL"],
                "p_fibrous": 0.0,
                "p_vascular": of["VASC"],
                **{f"p_{code}": value for code, value in of.items()},
                "p_malignant": min(1.0, of["MEL"] + of["BCC"]),
                "malignancy_definition": "graz",
                "malignancy_threshold": 0.3,
                "p_melanoma": of["MEL"],
                "abstained": number == 3,
                "mask": f"masks/{name}.png",
                "bundle": "0123456789abcdef",
                "quality": "",
            }
        )
    return rows


def disc(number: int, shift: int = 0) -> NDArray[np.uint8]:
    mask = np.zeros((32, 40), np.uint8)
    cv2.circle(mask, (18 + shift, 16), 6 + number % 5, 255, -1)
    return mask


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def write_world(root: Path, *, masks: bool = True) -> tuple[Path, Path]:
    """A manifest with truth, and a results folder; returns both."""
    manifest = write_table(root / "manifest.csv", [*manifest_rows(), *manifest_rows("val", IMAGES)])
    results = root / "results"
    write_table(results / "results.csv", result_rows())
    for number in range(IMAGES if masks else 0):
        write_picture(root / "truth" / f"{image_id(number)}.png", disc(number))
        write_picture(results / "masks" / f"{image_id(number)}.png", disc(number, number % 4))
        picture = np.full((32, 40, 3), (150, 170, 220), np.uint8)
        write_picture(root / "images" / f"{image_id(number)}.png", picture)
    return manifest, results
