"""Scores a mode of a bundle on held-out images, each on its whole way from file to `results.jsonl`.

    python studies/flagship/evaluate.py --run runs/flagship --bundle my-bundle --mode best \
        --json studies/flagship/results.json

Runs the batch over `test-ham10000.csv` and `test-isic2017.csv` as a user would (it resumes), then reads its lines;
`finish.py` puts the numbers into the bundle. Every number has a 95 % interval over lesions. Malignancy is the bundle's
definition; in ISIC 2017, which names melanoma, seborrheic keratosis and nevus alone, melanoma is all of it. Images are
answered with their most probable diagnosis in a world of equally frequent diagnoses, as balanced accuracy asks for.
The risk is told of every image, and so are AUC and calibration; what is withheld is told beside.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from answers import Diagnoses, Pair, ask
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dermoscope.analyzer import load_analyzer
from dermoscope.bundle_parts import ModePart
from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.calibration import expected_calibration_error
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.subgroups import AGE_BANDS, UNKNOWN, age_band, subgroup_rows
from dermoscope.taxonomy import HAM10000_CODES
from dermoscope.training.tasks import DEFAULT_TASKS, TASKS

WITHHELD = 0.2
DRAWS = 1000
RISKS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.01)
FEWEST = 20
"""Images in a range of risks, below which their share says nothing."""
Statistic = Callable[[NDArray[np.intp]], float]


@dataclass(frozen=True, eq=False)
class Told:
    """What N images show, and what they were told about malignancy.

    Attributes:
        malignant: `[N]`, by the bundle's definition.
        melanoma: `[N]`.
        risk: `[N]`, of malignancy.
        p_melanoma: `[N]`, melanoma's part of it.
        flagged: `[N]`, whether the risk reaches the operating point.
        withheld: `[N]`, whether there is no answer.
        groups: `[N]`, lesions.
        definition: Of malignancy.
        threshold: The operating point.
    """

    malignant: NDArray[np.bool_]
    melanoma: NDArray[np.bool_]
    risk: NDArray[np.float64]
    p_melanoma: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    withheld: NDArray[np.bool_]
    groups: list[str]
    definition: str
    threshold: float

    @classmethod
    def of(cls, pairs: list[Pair]) -> Told:
        """Those of some images, all of which have a risk."""
        task = DEFAULT_TASKS["malignancy"]
        answers = [one.malignancy for _, one in pairs if one.malignancy]
        return cls(
            malignant=np.array([task.label(record) == 1 for record, _ in pairs]),
            melanoma=np.array([record.diagnosis == "MEL" for record, _ in pairs]),
            risk=np.array([one.probability for one in answers]),
            p_melanoma=np.array([one.p_melanoma or 0.0 for _, one in pairs]),
            flagged=np.array([one.flagged for one in answers]),
            withheld=np.array([one.abstained for _, one in pairs]),
            groups=[record.group_id for record, _ in pairs],
            definition=answers[0].definition,
            threshold=answers[0].threshold,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    name, mode = analyzer.bundle.mode(arguments.mode)
    if mode is None:
        raise SystemExit("this bundle has no modes")
    found: dict[str, dict[str, dict[str, float]]] = {}
    measures = {"ham10000": lambda pairs: ham10000(pairs, mode), "isic2017": lambda pairs: isic2017(pairs, mode)}
    for data, measure in measures.items():
        records = list(read_manifest(arguments.run / f"test-{data}.csv"))
        pairs = ask(records, arguments.run / f"test-{data}-{name}", analyzer)
        print(f"\n{data}, {len(pairs):,} of {len(records):,} images, mode {name}\n\n| what | value |\n| --- | --- |")
        found[data] = {}
        for what, estimate in [*measure(pairs), *subgroups(pairs)]:
            print(f"| {what} | {estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f}) |", flush=True)
            numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
            found[data][what] = {number: round(value, 4) for number, value in numbers.items()}
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        kept[name] = found
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def ham10000(pairs: list[Pair], mode: ModePart) -> list[tuple[str, Estimate]]:
    """Seven diagnoses."""
    task = DEFAULT_TASKS["diagnosis"]
    seen = Diagnoses.of(pairs, mode)
    groups, told = seen.groups, Told.of(pairs)

    def gain(rows: NDArray[np.intp]) -> float:
        return seen.balanced(seen.surest(rows, 1 - WITHHELD)) - seen.balanced(rows)

    table = [
        ("balanced accuracy, seven diagnoses", grouped_bootstrap(seen.balanced, groups)),
        ("gain of it where the least certain fifth is withheld", grouped_bootstrap(gain, groups)),
        *risks(told),
        *withholding(told),
    ]
    codes = [task.classes[label] for label in seen.labels.tolist()]
    recalls = of_each(codes, seen.right, groups)
    table += [(f"recall, {code}", recall) for code, recall in recalls.items()]
    return [*table, *sets(pairs, codes, groups), *further_points(told, mode), *reliability(told)]


def isic2017(pairs: list[Pair], mode: ModePart) -> list[tuple[str, Estimate]]:
    """Melanoma, seborrheic keratosis, nevus: ranked by two probabilities, as in that challenge.

    Melanoma is ranked by its odds, were all equally frequent, and by `p_melanoma`, its part of the risk.
    """
    task = TASKS["isic2017"]
    truth = np.array([record.diagnosis for record, _ in pairs])
    told = Told.of(pairs)
    groups = told.groups
    scores = {code: np.array([one.diagnosis[code] for _, one in pairs]) for code in task.ranked}

    def mean_auc(ranked: dict[str, NDArray[np.float64]]) -> Statistic:
        return lambda rows: float(np.mean([auc(truth == code, of)(rows) for code, of in ranked.items()]))

    return [
        ("mean AUC, by the odds", grouped_bootstrap(mean_auc(scores), groups)),
        ("mean AUC, melanoma by p_melanoma", grouped_bootstrap(mean_auc({**scores, "MEL": told.p_melanoma}), groups)),
        *[(f"AUC, {c}", grouped_bootstrap(auc(truth == c, scores[c]), groups)) for c in task.ranked],
        *risks(told),
        *withholding(told),
        *sets(pairs, truth.tolist(), groups),
        *further_points(told, mode),
        *reliability(told),
    ]


def risks(told: Told) -> list[tuple[str, Estimate]]:
    """What the malignancy risk and melanoma's part of it are worth."""
    malignant, risk, groups = told.malignant, told.risk, told.groups

    def error(rows: NDArray[np.intp]) -> float:
        return expected_calibration_error(malignant[rows], risk[rows])

    return [
        ("AUC, melanoma", grouped_bootstrap(auc(told.melanoma, told.p_melanoma), groups)),
        (f"AUC, malignancy ({told.definition})", grouped_bootstrap(auc(malignant, risk), groups)),
        ("expected calibration error, malignancy", grouped_bootstrap(error, groups)),
        ("the same of a risk without any error", error_by_chance(risk)),
        ("mean risk minus share of malignant", grouped_bootstrap(mean(risk - malignant), groups)),
        ("sensitivity at the operating point", among(malignant, told.flagged, groups)),
        ("specificity at the operating point", among(~malignant, ~told.flagged, groups)),
    ]


def withholding(told: Told) -> list[tuple[str, Estimate]]:
    """Who gets no answer, and what the flags are worth for those who do."""
    malignant, withheld, groups = told.malignant, told.withheld, told.groups
    return [
        ("answers withheld", grouped_bootstrap(mean(withheld), groups)),
        ("of malignant images, withheld", among(malignant, withheld, groups)),
        ("of malignant images, flagged or withheld", among(malignant, told.flagged | withheld, groups)),
        ("sensitivity among answered images", among(malignant & ~withheld, told.flagged, groups)),
        ("specificity among answered images", among(~malignant & ~withheld, ~told.flagged, groups)),
    ]


def sets(pairs: list[Pair], codes: list[str], groups: list[str]) -> list[tuple[str, Estimate]]:
    """How often the prediction set holds the true diagnosis, for all and for each, and how large it is."""
    found = [one.prediction_set.codes for _, one in pairs if one.prediction_set]
    if len(found) < len(pairs):
        return []
    held = np.array([code in one for code, one in zip(codes, found, strict=True)])
    return [
        ("prediction sets with the true diagnosis", grouped_bootstrap(mean(held), groups)),
        ("diagnoses in a prediction set", grouped_bootstrap(mean(np.array([len(one) for one in found])), groups)),
        *[
            (f"prediction sets with the true diagnosis, {code}", of)
            for code, of in of_each(codes, held, groups).items()
        ],
    ]


def further_points(told: Told, mode: ModePart) -> list[tuple[str, Estimate]]:
    """Sensitivity and specificity at every operating point of the mode: what was promised of it, on other images."""
    table = []
    for name, point in mode.points.items():
        is_melanoma = name.startswith("melanoma")
        positive, score = (told.melanoma, told.p_melanoma) if is_melanoma else (told.malignant, told.risk)
        flagged = score >= point.threshold
        table.append((f"sensitivity at the point '{name}'", among(positive, flagged, told.groups)))
        table.append((f"specificity at the point '{name}'", among(~positive, ~flagged, told.groups)))
    return table


def of_each(codes: list[str], yes: NDArray[np.bool_], groups: list[str]) -> dict[str, Estimate]:
    """A share among the images of each diagnosis."""
    truth = np.array(codes)
    return {code: among(truth == code, yes, groups) for code in HAM10000_CODES if (truth == code).any()}


def among(rows: NDArray[np.bool_], yes: NDArray[np.bool_], groups: list[str]) -> Estimate:
    """A share of some of the images."""
    return grouped_bootstrap(
        mean(yes[rows]), [group for group, is_in in zip(groups, rows.tolist(), strict=True) if is_in]
    )


def reliability(told: Told) -> list[tuple[str, Estimate]]:
    """Share of malignant images among those whose risk lies in each range, where there are enough of them."""
    table = []
    for low, high in pairwise(RISKS):
        rows = (told.risk >= low) & (told.risk < high)
        if rows.sum() >= FEWEST:
            average = told.risk[rows].mean()
            what = f"share of malignant where the risk is {low:g} to {high:g}, {average:.3f} on average"
            table.append((what, among(rows, told.malignant, told.groups)))
    return table


def error_by_chance(risk: NDArray[np.float64]) -> Estimate:
    """The calibration error that so many images show where every risk is the true one: the mean of labels drawn so."""
    draw = np.random.default_rng(0)
    errors = [expected_calibration_error(draw.random(len(risk)) < risk, risk) for _ in range(DRAWS)]
    low, high = np.quantile(errors, (0.025, 0.975)).tolist()
    return Estimate(float(np.mean(errors)), low, high, len(risk), len(risk))


def subgroups(pairs: list[Pair]) -> list[tuple[str, Estimate]]:
    """Sensitivity and specificity by sex and age, where they are recorded."""
    told = Told.of(pairs)
    rows = subgroup_rows(
        told.malignant,
        told.risk,
        told.threshold,
        {"sex": [record.sex for record, _ in pairs], "age": [age_band(record.age) for record, _ in pairs]},
        told.groups,
        orders={"age": AGE_BANDS},
    )
    return [
        (f"{what} at the operating point, {row.attribute} {row.value}", share)
        for part in rows.values()
        for row in part
        if not row.remark and row.value != UNKNOWN
        for what, share in (("sensitivity", row.sensitivity), ("specificity", row.specificity))
        if share
    ]


def auc(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> Statistic:
    def statistic(rows: NDArray[np.intp]) -> float:
        return float(roc_auc_score(truth[rows], score[rows])) if 0 < truth[rows].sum() < len(rows) else float("nan")

    return statistic


def mean(values: NDArray[np.generic]) -> Statistic:
    return lambda rows: float(values[rows].mean())


if __name__ == "__main__":
    main()
