"""When a second look pays: how good the answers are where only the images in doubt are looked at twice.

    python studies/cam-crop/shares.py --run runs/cam-crop --split test --json studies/cam-crop/shares.json

The images that the first look is least certain of, by its highest probability, take the answer of the second; the
others keep that of the first. For every tenth of the images, balanced accuracy of the three diagnoses and mean AUC of
melanoma and seborrheic keratosis, each with its 95 % interval over images and with its difference, paired, to the first
look alone. Balanced accuracy is the plainer of the two: each image is decided by one network. AUC also compares the
scores of two networks with each other, which nothing has made comparable.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tables import PARTS, bounds, labels_of, mean_auc

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.decision_table import balanced_accuracy_of, decision_cells, table_of
from dermoscope.evaluation.intervals import Bootstrap, Weights
from dermoscope.evaluation.looks import FIRST_LOOK, SECOND_LOOK, Looks, read_looks

TRAININGS = ("map-0.2-0.1-42", "map-0.4-0.0-42", "mask-0.0-42", "augmented-last-43")
"""The base, whose box is nearly the whole image; two squares that cut, with its first look; the best first look."""
SHARES = tuple(tenth / 10 for tenth in range(11))
BALANCED, MEAN_AUC = "balanced accuracy", "mean AUC"
PRINTED = (0.1, 0.2, 0.5, 1.0)
Measured = dict[str, list[list[float]]]
"""`value` and `gain` over the first look alone, share by share, each with both ends of its interval."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--trainings", nargs="+", default=TRAININGS, help="folders in <run>/looks")
    parser.add_argument("--split", choices=("val", "test"), default="val")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    truth = [record for record in read_manifest(arguments.run / "isic2017.csv") if record.split == arguments.split]
    heads = ["training", "measure", "first look", *(f"{share:.0%} twice, gain" for share in PRINTED)]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    numbers: dict[str, dict[str, object]] = {}
    for name in arguments.trainings:
        looks = read_looks(arguments.run / "looks" / name, [record.image_id for record in truth])
        if looks is None or len(looks.image_ids) != len(truth):
            parser.error(f"--trainings: {name} has no answer to some images; train it with ablation.py")
        found = by_share(looks, truth)
        for measure, said in found.items():
            cells = ["{:.3f} ({:.3f} to {:.3f})".format(*said["value"][0])]
            cells += ["{:+.3f} ({:.3f} to {:.3f})".format(*said["gain"][SHARES.index(share)]) for share in PRINTED]
            print(f"| {name} | {measure} | {' | '.join(cells)} |", flush=True)
        numbers[name] = {"n": len(truth), "share": SHARES, **found}
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        kept[arguments.split] = {**kept.get(arguments.split, {}), **numbers}
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def twice(looks: Looks, share: float) -> NDArray[np.float64]:
    """Probabilities `[N, K]`, those of the second look where the first is least certain.

    Args:
        looks: Of N images.
        share: Of the images to look at again, 0 to 1.
    """
    answer = looks.answers[FIRST_LOOK].copy()
    again = np.argsort(answer.max(axis=1), kind="stable")[: round(share * len(answer))]
    answer[again] = looks.answers[SECOND_LOOK][again]
    return answer


def by_share(looks: Looks, truth: Sequence[Record]) -> dict[str, Measured]:
    """What each measure says, share by share.

    Args:
        looks: Of every image of `truth`, in its order.
        truth: The images.
    """
    drawn = Bootstrap([record.group_id for record in truth])
    diagnoses = np.array([looks.label(record.diagnosis) for record in truth], np.intp)
    answers = [twice(looks, share) for share in SHARES]
    cells = [decision_cells(diagnoses, decided_class(answer), len(looks.classes)) for answer in answers]
    columns = [looks.classes.index(code) for code in PARTS.values()]
    areas = [mean_auc(labels_of(truth), answer[:, columns]) for answer in answers]
    return {
        BALANCED: measured(
            drawn, lambda weights: [balanced_accuracy_of(table_of(one, len(looks.classes), weights)) for one in cells]
        ),
        MEAN_AUC: measured(drawn, lambda weights: [area(weights) for area in areas]),
    }


def measured(drawn: Bootstrap, values_of: Callable[[Weights], list[float]]) -> Measured:
    """Values share by share, and what each gains over the first: one walk over the same resamples, so that it pairs."""

    def values_and_gains(weights: Weights) -> NDArray[np.float64]:
        values = np.array(values_of(weights))
        return np.concatenate([values, values - values[0]])

    found = [bounds(one) for one in drawn.estimates(values_and_gains)]
    return {"value": found[: len(SHARES)], "gain": found[len(SHARES) :]}


if __name__ == "__main__":
    main()
