"""Scores lesion masks on test images by prompt source, and keeps every image's scores.

    python studies/skinsam/evaluate.py --manifest runs/skinsam/manifest.csv --bundle bundle --out runs/skinsam/tuned
    python studies/skinsam/evaluate.py --manifest runs/skinsam/manifest.csv --run runs/skinsam/unet --out runs/unet

A bundle is asked as `dermoscope segment` asks it (`auto`), and with boxes made from the true mask, which flatter it:
`jittered box` (every side moved with a standard deviation of 10 % of the box), `ground-truth box`. `--run` scores a
U-Net, which takes no prompt. Masks are finished and scored at the size of the image, one lesion, no gate. Writes
`scores.csv`, one row for each image and prompt, and `summary.json`; prints a table.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dermoscope.bundle import Bundle
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.inputs import covered_cells, prepare
from dermoscope.evaluation.masks import MaskScores, MaskSummary, mask_scores, summarise
from dermoscope.images import decode, field_of_view, read_mask, working_copy
from dermoscope.mask_model import MaskModel
from dermoscope.segment.confidence import believed_overlap, expected_overlap
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.selection import stability_score
from dermoscope.segment.simulated import ground_truth_box, jittered_box
from dermoscope.segment.unet import UNet
from dermoscope.training.mask_model_file import load_mask_run

Answers = Iterator[tuple[str, NDArray[np.float32] | None, float]]
"""Prompt source, logits over the image or none, confidence."""
Model = Callable[[NDArray[np.uint8], NDArray[np.bool_], np.random.Generator], Answers]
HEALTHY = "healthy-skin"
METRICS = ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--bundle", type=Path)
    model.add_argument("--run", type=Path, help="run of the recipe unet")
    parser.add_argument("--split", default="test", help="val while choosing, test once")
    parser.add_argument("--source", help="images of this source alone")
    parser.add_argument("--most", type=int, help="at most this many images of a source")
    parser.add_argument(
        "--prompts",
        choices=("no prompt", "saliency boxes", "no prompt and saliency boxes"),
        help="ask the bundle's decoder so, and no mask network",
    )
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    records = [
        r
        for r in read_manifest(arguments.manifest)
        if r.split == arguments.split and r.mask_path and arguments.source in (None, r.source)
    ]
    if arguments.most:
        records = [r for name in sorted({r.source for r in records}) for r in thinned(records, name, arguments.most)]
    ask = prompted(arguments.bundle, arguments.prompts) if arguments.bundle else unprompted(arguments.run)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[Record, str, MaskScores, float]] = []
    random = np.random.default_rng(0)
    for number, record in enumerate(records, 1):
        assert record.mask_path is not None
        rgb, truth = decode(record.path).rgb, read_mask(record.mask_path)
        for source, logits, confidence in ask(rgb, truth, random):
            finished = None if logits is None else finish_mask(logits, truth.shape[1], truth.shape[0])
            mask = np.zeros_like(truth) if finished is None else finished.mask
            rows.append((record, source, mask_scores(mask, truth), confidence))
        if number % 200 == 0:
            print(f"{number} of {len(records)}", flush=True)
    write_scores(rows, arguments.out / "scores.csv")
    summary = summaries(rows)
    (arguments.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def thinned(records: Sequence[Record], source: str, most: int) -> list[Record]:
    """Every so many of the images of a source, at most that many."""
    own = [record for record in records if record.source == source]
    return own[:: max(1, -(-len(own) // most))]


def prompted(folder: Path, prompts: str | None = None) -> Model:
    """A bundle, asked as `dermoscope segment` asks it, and with boxes from the truth."""
    bundle = Bundle.load(folder)
    if prompts:
        changed = bundle.description.model_copy(
            update={
                "mask_network": None,
                "decoder": bundle.description.decoder.model_copy(update={"prompts": prompts}),
            }
        )
        bundle = Bundle(folder, changed, bundle.fingerprint)
    rules = bundle.description.decoder.rules
    model = MaskModel(bundle, engine=None, precision="auto", threads=0, streams=1)

    def ask(rgb: NDArray[np.uint8], truth: NDArray[np.bool_], random: np.random.Generator) -> Answers:
        encoded, small = model.encode(rgb), working_copy(rgb)
        found = model.find_lesion(rgb, small, field_of_view(small), model.decoder_on(encoded, small.shape[:2]))
        yield "auto", found.logits, 0.0 if found.logits is None else model.confidence(found.score)
        if truth.any():
            decode_prompts = model.decoder_on(encoded, truth.shape)
            for prompt in (jittered_box(truth, random), ground_truth_box(truth)):
                logits, overlaps = decode_prompts([prompt])
                score = float(np.clip(overlaps[0, 0], 0, 1)) * stability_score(logits[0, 0], rules.stability_offset)
                yield prompt.name, logits[0, 0], model.confidence(score, automatic=False)

    return ask


def unprompted(run: Path) -> Model:
    """A U-Net in torch."""
    description, state = load_mask_run(run)
    network = UNet(description.encoder)
    network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in state.items()})
    network.eval()

    def ask(rgb: NDArray[np.uint8], _truth: NDArray[np.bool_], _random: np.random.Generator) -> Answers:
        prepared = prepare(rgb, description.contract)
        with torch.inference_mode():
            logits = network(torch.from_numpy(prepared.image))[0].numpy()
        rows, columns = covered_cells(prepared, description.contract, len(logits))
        drawn = logits[:rows, :columns]
        score = believed_overlap(drawn) * stability_score(drawn, 1.0)
        trust = expected_overlap(score, description.confidence_slope, description.confidence_intercept)
        yield "auto", drawn, trust if (drawn > 0).any() else 0.0

    return ask


def write_scores(rows: Sequence[tuple[Record, str, MaskScores, float]], path: Path) -> None:
    """One row for each image and prompt."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["image_id", "source", "lesion_id", "diagnosis", "prompt", *METRICS, "hausdorff95", "confidence"]
        )
        for record, prompt, scores, confidence in rows:
            numbers = [f"{getattr(scores, metric):.5f}" for metric in (*METRICS, "hausdorff95")]
            cells = [record.image_id, record.source, record.group_id, record.diagnosis, prompt]
            writer.writerow([*cells, *numbers, f"{confidence:.4f}"])


def summaries(rows: Sequence[tuple[Record, str, MaskScores, float]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Every average, by data set and prompt, and a table of the means over images."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for data in sorted({record.source for record, *_ in rows}):
        for prompt in ("auto", "jittered box", "ground-truth box"):
            chosen = [(r, s) for r, p, s, _ in rows if p == prompt and r.source == data]
            if not chosen:
                continue
            types = [r.diagnosis or "unknown" for r, _ in chosen]
            known = types if data != HEALTHY else None
            scored = summarise([s for _, s in chosen], [r.group_id for r, _ in chosen], known)
            found.setdefault(data, {})[prompt] = [asdict(one) for one in scored]
            if prompt == "auto":
                tell_trust([(confidence, s.dice) for r, p, s, confidence in rows if p == prompt and r.source == data])
            print(f"| {data} | {prompt} | {len(chosen)} | {' | '.join(means(scored))} |")
    return found


def tell_trust(pairs: Sequence[tuple[float, float]]) -> None:
    """How far the confidence of masks is from their Dice, and whether less of it means worse."""
    masks = [pair for pair in pairs if pair[0] > 0]
    if not masks:
        return
    sure, dice = np.array(masks).T
    tenths = np.array_split(np.argsort(sure), 10)
    shown = ", ".join(f"{sure[part].mean():.2f}: {dice[part].mean():.2f}" for part in tenths if len(part))
    gap = np.mean([abs(sure[part].mean() - dice[part].mean()) for part in tenths if len(part)])
    print(f"confidence: Dice of {len(sure)} masks by tenths: {shown}; mean gap {gap:.3f}", flush=True)


def means(scored: Sequence[MaskSummary]) -> list[str]:
    """The means over images, in the order of `METRICS`."""
    own = {one.metric: one.estimate for one in scored if one.averaging == "per image"}
    return [str(own[metric]) for metric in METRICS]


if __name__ == "__main__":
    main()
