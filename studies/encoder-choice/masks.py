"""Lesion masks from frozen encoders and decoders, and what a pass through them costs."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from variants import Variant

from dermoscope.encoders.inputs import EncoderInput, prepare
from dermoscope.engine import compile_graph
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.segment.automatic import Decode, segment_automatically
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.prompted_decoder import PromptedDecoder
from dermoscope.segment.prompts import Prompt, box_prompt
from dermoscope.segment.sam2_decoder import Sam2Decoder

LookAt = Callable[[EncoderInput, tuple[int, int]], Decode]
"""Takes a prepared image and the height and width that prompts are given on."""

_JITTER = (-0.05, 0.12)
"""How far each side of the ground-truth box moves outwards, as a share of the box: uniform between the two."""

_BOXES = 4


@dataclass(frozen=True)
class MaskImage:
    """One image with its mask and the shifts of its box, left, top, right, bottom."""

    image_id: str
    image: Path
    mask: Path
    jitter: NDArray[np.float64]


def read_images(data: Path) -> list[MaskImage]:
    """The validation images of ISIC 2018 Task 1, full frame; the box of each is jittered once and for all."""
    root = data / "ISIC2018_256"
    with (data / "splits" / "isic2018_task1_seg.csv").open(newline="", encoding="utf-8") as stream:
        ids = [row["image"] for row in csv.DictReader(stream) if row["split"] == "val"]
    jitter = np.random.default_rng(0).uniform(*_JITTER, (len(ids), 4))
    return [
        MaskImage(
            image_id,
            root / "ISIC2018_Task1-2_Training_Input" / f"{image_id}.jpg",
            root / "ISIC2018_Task1_Training_GroundTruth" / f"{image_id}_segmentation.png",
            shifts,
        )
        for image_id, shifts in zip(ids, jitter, strict=True)
    ]


def dice_by_prompt(variant: Variant, images: Sequence[MaskImage], weights: Path, cache: Path) -> dict[str, list[float]]:
    """Dice of each image's mask, by the source of the prompt: `auto` and `jittered box`.

    The automatic way is that of the product: four saliency boxes, selection, clean-up. The jittered box takes the
    decoder's single mask as it is.
    """
    look_at = _sam2(variant, weights) if variant.spec.architecture == "sam2-hiera" else _graphs(variant, cache)
    dice: dict[str, list[float]] = {"auto": [], "jittered box": []}
    for one in track(images, f"masks of {variant.label}"):
        rgb, truth = decode(one.image).rgb, read_mask(one.mask)
        height, width = truth.shape
        prepared = prepare(rgb, variant.contract)
        prompted = look_at(prepared, (height, width))
        found = segment_automatically(rgb, prompted)
        finished = None if found.logits is None else finish_mask(found.logits, width, height)
        automatic = finished.mask if finished else np.zeros_like(truth)
        dice["auto"].append(mask_scores(automatic, truth).dice)
        logits, _ = prompted([jittered_box(truth, one.jitter)])
        boxed = np.asarray(cv2.resize(logits[0, 0], (width, height)) > 0)
        dice["jittered box"].append(mask_scores(boxed, truth).dice)
    return dice


def _graphs(variant: Variant, cache: Path) -> LookAt:
    encoder, decoder = compile_graph(variant.encoder_graph(cache)), compile_graph(variant.decoder_graph(cache))

    def look_at(prepared: EncoderInput, shape: tuple[int, int]) -> Decode:
        embedding = encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})["embedding"]
        return PromptedDecoder(decoder, variant.contract, embedding, prepared, shape)

    return look_at


def _sam2(variant: Variant, weights: Path) -> LookAt:
    decoder = Sam2Decoder.from_file(weights / f"{variant.spec.name}.safetensors", variant.contract)

    def look_at(prepared: EncoderInput, shape: tuple[int, int]) -> Decode:
        decoder.look_at(prepared, shape)
        return decoder

    return look_at


def jittered_box(truth: NDArray[np.bool_], jitter: NDArray[np.float64]) -> Prompt:
    """The mask's bounding box with its sides moved outwards by shares of its width and height."""
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    width, height = right - left, bottom - top
    box = (
        max(0.0, left - jitter[0] * width),
        max(0.0, top - jitter[1] * height),
        min(float(truth.shape[1]), right + jitter[2] * width),
        min(float(truth.shape[0]), bottom + jitter[3] * height),
    )
    return box_prompt("jittered box", box)


def latencies_ms(variants: Sequence[Variant], cache: Path, rounds: int) -> list[dict[str, float]]:
    """Median milliseconds of one encoder pass and of one decode of four boxes.

    The variants take turns, so that a busy moment of the machine does not count against one of them.

    Args:
        variants: Which.
        cache: Folder with the graphs.
        rounds: How many timed passes each.
    """
    random = np.random.default_rng(0)
    passes = []
    for variant in variants:
        size, cells = variant.contract.size, variant.contract.map_size
        image = random.random((1, 3, size, size), np.float32)
        weights = np.full((1, 1, cells, cells), 1 / cells**2, np.float32)
        encoder, inputs = compile_graph(variant.encoder_graph(cache)), {"image": image, "pool_weights": weights}
        embedding = encoder(inputs)["embedding"]
        passes.append({"encode": (encoder, inputs)})
        if variant.has_mask_graph:
            points = np.sort(random.random((_BOXES, 2, 2), np.float32) * size, axis=1)
            labels = np.tile(np.array([2, 3], np.int64), (_BOXES, 1))
            prompt = {"embedding": embedding, "points": points, "labels": labels}
            decoder = compile_graph(variant.decoder_graph(cache))
            decoder(prompt)
            passes[-1]["decode"] = (decoder, prompt)
    times: list[dict[str, list[float]]] = [{name: [] for name in stages} for stages in passes]
    for _ in range(rounds):
        for stages, taken in zip(passes, times, strict=True):
            for name, (graph, inputs) in stages.items():
                start = time.perf_counter()
                graph(inputs)
                taken[name].append((time.perf_counter() - start) * 1e3)
    return [{name: round(float(np.median(values)), 1) for name, values in taken.items()} for taken in times]
