"""What was chosen on the validation images: rule, networks, views, ways round, and what is withheld.

    python studies/flagship/choose.py --run runs/flagship --bundle my-bundle --mode best

Everything is fitted in five folds that keep lesions whole, as `dermoscope export --mode` fits; no test image is read.
What the members say is asked once for each number of ways round and kept in the run folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from dermoscope import taxonomy
from dermoscope.abstention import member_disagreement
from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import HEADS, ModePart
from dermoscope.cli.evaluations import steps
from dermoscope.data.manifest import read_manifest
from dermoscope.ensemble.ensemble import Ensemble, Rule
from dermoscope.ensemble.probabilities import at_equal_frequencies
from dermoscope.evaluation import conformal
from dermoscope.network_parts import Orientations
from dermoscope.training.mode_bundle import ask_members
from dermoscope.training.mode_fit import COVERAGE, RULES, UNCERTAIN, MemberAnswers

WAYS: tuple[Orientations, ...] = (1, 2, 4)
CHOSEN: Rule = "geometric mean"
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", default="best")
    parser.add_argument("--ways", type=int, nargs="*", choices=WAYS, default=WAYS, help="ways round to compare")
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle) if arguments.bundle else Bundle.default()
    name, mode = bundle.mode(arguments.mode)
    if mode is None:
        raise SystemExit("this bundle has no modes")
    own = mode.networks[0].orientations
    said = {ways: answers(bundle, name, mode, ways, arguments.run) for ways in sorted({own, *arguments.ways})}
    ships = said[own]
    print(
        f"{len(ships.labels):,} validation images\n\n| rule | {' | '.join(MEASURES)} |\n|{'---|' * (1 + len(MEASURES))}"
    )
    for rule in RULES:
        line(rule, ships, folded(ships, rule))
    print(f"\n| members | views | ways round | {' | '.join(MEASURES)} |\n|{'---|' * (3 + len(MEASURES))}")
    networks = [one for one in ships.members if one != HEADS]
    alone = [[one] for one in networks]
    together = [list(some) for size in range(2, len(networks) + 1) for some in combinations(networks, size)]
    with_heads = [[HEADS, *some] for some in [*alone, *together]] if HEADS in ships.members else []
    for members in [*alone, *together, *with_heads]:
        for views in chosen_views(ships.crops, each=members in alone):
            for ways in said:
                part = narrowed(said[ways], members, views)
                line(f"{', '.join(members)} | {', '.join(views)} | {ways}", part, folded(part, CHOSEN))
    withholding(ships)
    prediction_sets(ships)
    operating_points(ships, mode)


def chosen_views(crops: Sequence[str], *, each: bool) -> list[list[str]]:
    """Those around the outline, what the network cuts out by itself, all; and before these each by itself, if asked."""
    found = [[view] for view in crops] if each else []
    for one in (["tight", "middle", "full"], ["full", "look"], list(crops)):
        if set(one) <= set(crops) and one not in found:
            found.append(one)
    return found


def answers(bundle: Bundle, name: str, mode: ModePart, ways: Orientations, run: Path) -> MemberAnswers:
    """What the members say when every network sees each view so many ways round; asked once."""
    kept = run / f"answers-{name}-{ways}-{bundle.fingerprint[:8]}.npz"
    if not kept.exists():
        networks = tuple(one.model_copy(update={"orientations": ways}) for one in mode.networks)
        modes = {**bundle.description.modes, name: mode.model_copy(update={"networks": networks})}
        changed = Bundle(bundle.folder, bundle.description.model_copy(update={"modes": modes}), bundle.fingerprint)
        with steps(quiet=False) as on_step:
            what = f"asking about the validation images, {ways} ways round"
            records = list(read_manifest(run / "manifest.csv"))
            said, _ = ask_members(changed, name, records, on_image=lambda done, every: on_step(what, done, every))
        part = kept.with_suffix(".part.npz")
        texts = {"groups": np.array(said.groups), "sources": np.array(said.sources)}
        np.savez(part, probabilities=said.probabilities, labels=said.labels, **texts)
        part.replace(kept)
    with np.load(kept) as found:
        fusion = mode.fusion
        return MemberAnswers(
            *(fusion.members, fusion.crops, fusion.classes),
            *(found["probabilities"], found["labels"], found["groups"].tolist(), found["sources"].tolist()),
        )


def narrowed(said: MemberAnswers, members: Sequence[str], views: Sequence[str]) -> MemberAnswers:
    """Some of the members on some of the views."""
    chosen = np.ix_([said.members.index(one) for one in members], [said.crops.index(one) for one in views])
    return replace(said, members=tuple(members), crops=tuple(views), probabilities=said.probabilities[chosen])


def folded(said: MemberAnswers, rule: Rule) -> NDArray[np.float64]:
    """`[N, K]`, of each image by the rule as fitted without its fold."""
    found = np.zeros(said.probabilities.shape[2:])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for learnt, held in folds.split(said.labels, said.labels, said.groups):
        found[held] = Ensemble(said.fitted(rule, learnt)).combine(said.probabilities[:, :, held])
    return found


OTHER = "ISIC2017"
MEASURES = ("log loss", "balanced accuracy", "AUC, melanoma", "AUC, malignancy", f"log loss, {OTHER}")


def line(what: str, said: MemberAnswers, found: NDArray[np.float64]) -> None:
    """One row of a table, with `MEASURES`."""
    malignant = np.array([code in taxonomy.malignancy_definition("graz").malignant for code in said.classes])
    melanoma = said.classes.index("MEL")
    other = np.array(said.sources) == OTHER
    values = (
        log_loss(said.labels, found, labels=range(len(said.classes))),
        balanced(said, found, np.arange(len(found))),
        roc_auc_score(said.labels == melanoma, found[:, melanoma]),
        roc_auc_score(malignant[said.labels], found[:, malignant].sum(axis=1)),
        log_loss(said.labels[other], found[other], labels=range(len(said.classes))) if other.any() else np.nan,
    )
    print(f"| {what} | {' | '.join(f'{value:.3f}' for value in values)} |", flush=True)


def odds(said: MemberAnswers, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[N, K]`, were all diagnoses equally frequent."""
    return at_equal_frequencies(found, np.bincount(said.labels, minlength=len(said.classes)) / len(said.labels))


def balanced(said: MemberAnswers, found: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    """Mean recall of the diagnoses, answered at equal odds."""
    labels, right = said.labels[rows], (odds(said, found).argmax(axis=1) == said.labels)[rows]
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def withholding(said: MemberAnswers) -> None:
    """What is gained by each way to withhold a share of the answers, and by the size of the set, which sets its own."""
    found = folded(said, CHOSEN)
    every = np.arange(len(found))
    before = balanced(said, found, every)
    _, first = np.unique(said.groups, return_index=True)
    as_if_even = odds(said, found)
    sizes = conformal.fit(said.labels[first], as_if_even[first], COVERAGE).sets(as_if_even).sum(axis=1)
    doubts = {
        "largest probability": -found.max(axis=1),
        "largest of equal odds": -as_if_even.max(axis=1),
        "disagreement of members": member_disagreement(said.probabilities),
    }
    print(f"\n| withheld | share | balanced accuracy of the rest, gain on {before:.3f} |\n|---|---|---|")
    by_size = np.flatnonzero(sizes == 1)
    shares = (UNCERTAIN, 0.2)
    rows = [("not one diagnosis in the set", by_size)]
    rows += [
        (f"least sure by {name}", np.argsort(doubt, kind="stable")[: round((1 - share) * len(doubt))])
        for share in shares
        for name, doubt in doubts.items()
    ]
    for name, kept in rows:
        print(f"| {name} | {1 - len(kept) / len(every):.3f} | {balanced(said, found, kept) - before:+.3f} |")


def prediction_sets(said: MemberAnswers) -> None:
    """Sets at the frequencies of the images, and in the world of the answer: each image's without its fold."""
    found = folded(said, CHOSEN)
    worlds = {"the frequencies of the images": found, "all equally frequent": odds(said, found)}
    answer = worlds["all equally frequent"].argmax(axis=1)
    print(f"\n| sets at | {' | '.join(said.classes)} | all | diagnoses | without the answer |")
    print(f"|{'---|' * (4 + len(said.classes))}")
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=1).split(said.labels, said.labels, said.groups))
    for world, probabilities in worlds.items():
        sets = np.zeros(probabilities.shape, np.bool_)
        for learnt, held in folds:
            one_a_lesion = learnt[np.unique(np.array(said.groups)[learnt], return_index=True)[1]]
            rule = conformal.fit(said.labels[one_a_lesion], probabilities[one_a_lesion], COVERAGE)
            sets[held] = rule.sets(probabilities[held])
        summary = conformal.summarise_sets(said.labels, sets)
        without = 1 - sets[np.arange(len(sets)), answer].mean()
        values = (*summary.class_coverage, summary.coverage, summary.mean_size, without)
        print(f"| {world} | {' | '.join(f'{value:.3f}' for value in values)} |")


def operating_points(said: MemberAnswers, mode: ModePart) -> None:
    """Sensitivity and specificity on each source: at a threshold of pooled images, and at the mode's own."""
    found = folded(said, CHOSEN)
    is_malignant = [code in taxonomy.malignancy_definition("graz").malignant for code in said.classes]
    risk, malignant = found[:, is_malignant].sum(axis=1), np.array(is_malignant)[said.labels]
    pooled = float(np.quantile(risk[malignant], 0.05, method="lower"))
    print("\n| threshold | source | malignant | sensitivity | specificity |\n|---|---|---|---|---|")
    for what, threshold in (("pooled", pooled), ("of the mode", mode.malignancy_point.threshold)):
        for source in sorted({one for one, is_in in zip(said.sources, malignant.tolist(), strict=True) if is_in}):
            own = np.array(said.sources) == source
            sensitivity, specificity = (
                (risk[own & malignant] >= threshold).mean(),
                (risk[own & ~malignant] < threshold).mean(),
            )
            shares = f"{(own & malignant).sum()} | {sensitivity:.3f} | {specificity:.3f}"
            print(f"| {threshold:.4f}, {what} | {source} | {shares} |")


if __name__ == "__main__":
    main()
