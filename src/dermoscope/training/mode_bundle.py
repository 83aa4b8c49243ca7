"""From trained networks to a mode of a bundle: graphs in, validation images all the way, everything fitted.

That way what is calibrated is what ships: outlines that the model draws, crops around them, the engine's arithmetic.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analyzer import Analyzer
from dermoscope.batch.files import writing_to
from dermoscope.bundle import Bundle, BundleDescription
from dermoscope.bundle_parts import HEADS, GraphCheck, ModePart, OperatingPoint, of_mode
from dermoscope.camnet.lesion_views import CropRules, View
from dermoscope.camnet.second_look import LookRules
from dermoscope.data.manifest import Record
from dermoscope.ensemble.ensemble import EnsembleDescription
from dermoscope.files import sha256_of
from dermoscope.images import ImageError
from dermoscope.network_parts import MemberPart, Orientations
from dermoscope.training.cam_description import MODEL_NAME, CAMRunError
from dermoscope.training.cam_export import member_part, write_network
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.export import write_bundle
from dermoscope.training.familiarity_fit import fit_familiarity
from dermoscope.training.mode_fit import FittedMode, MemberAnswers, fit_mode
from dermoscope.training.onnx_graph import StoredWeights
from dermoscope.training.tasks import DEFAULT_TASKS

OnImage = Callable[[int, int], None]
"""Called with the number of validation images that were looked at, and of all."""

_GRAPH_NAME_DIGITS = 12
_STILL_TRUE = ("gate", "share refused", "mask", "mode ")
"""What was measured of these holds whichever mode answers first; all else was measured of what did so before."""

MODE_LOOK = LookRules(threshold=0.4)
"""At the published threshold, 0.2, the square of a network of today is mostly the whole view."""


@dataclass(frozen=True, eq=False)
class ModePlan:
    """What a mode is made of.

    Attributes:
        name: Of the mode.
        meaning: What it is for, in words.
        runs: Runs of networks for the seven diagnoses.
        views: What every network sees; as it was trained if there are none.
        heads: Whether the heads answer, too.
        orientations: How many ways round every network sees each view; see `MemberPart`.
        look: How each network finds what the view `look` shows, where that is the last of the views.
        weights: How those of the networks are stored; everything is fitted to what these answer.
    """

    name: str
    meaning: str
    runs: tuple[Path, ...]
    views: tuple[View, ...] = ()
    heads: bool = True
    orientations: Orientations = 1
    look: LookRules = MODE_LOOK
    weights: StoredWeights = "float16"


def bundle_with_mode(
    plan: ModePlan,
    base: Bundle,
    out: Path,
    records: Sequence[Record],
    *,
    images: Sequence[NDArray[np.uint8]] = (),
    first: bool = False,
    jobs: int = 2,
    on_image: OnImage = lambda _done, _all: None,
) -> tuple[Bundle, FittedMode]:
    """Write a bundle with one more mode and all else of another.

    The rule that makes one answer of all, its calibration and its thresholds come from the validation images, which go
    the whole way from file to answer as a user's images do; so does what tells images like these from others.

    Args:
        plan: What the mode is made of.
        base: The other bundle; a mode of the same name is replaced.
        out: Folder to write; it must not exist.
        records: The manifest; its split `val` is fitted on.
        images: RGB images `[H, W, 3]` to compare the graphs with torch on.
        first: Whether the mode answers where nobody names one.
        jobs: Images that are looked at at once.
        on_image: Called on the way.

    Raises:
        CAMRunError: If a run is not finished, damaged, or of another question.
        ValueError: If there are too few validation images.
        OutputError: If the folder cannot be written.
    """
    draft = out.with_name(f".draft.{out.name}")
    shutil.rmtree(draft, ignore_errors=True)  # of an export that was killed
    try:
        with writing_to(out):
            shutil.copytree(base.folder, draft)
            parts, checks, learnt = _write_networks(plan, base, draft, images)
            provisional = _with_mode(base, plan, _provisional(plan, base, parts), checks, learnt, first=first)
            write_bundle(provisional, draft)
            said, features = ask_members(Bundle.load(draft), plan.name, records, jobs=jobs, on_image=on_image)
            fitted = fit_mode(said, parts, meaning=plan.meaning)
            familiarity = fit_familiarity(features, said.groups, draft)
            description = _with_mode(base, plan, fitted.part, checks, learnt, first=first)
            write_bundle(description.model_copy(update={"familiarity": familiarity}), draft)
            _drop_unused(draft)
            Bundle.load(draft)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(out), fitted


def ask_members(
    bundle: Bundle,
    mode: str,
    records: Sequence[Record],
    *,
    split: str = "val",
    jobs: int = 2,
    on_image: OnImage = lambda _done, _all: None,
) -> tuple[MemberAnswers, NDArray[np.float32]]:
    """What the members of a mode say of the images of a split, each on its whole way from file to answer.

    Args:
        bundle: The bundle.
        mode: Its mode.
        records: The manifest; images without one of the diagnoses, or that cannot be read, are left out.
        split: Which.
        jobs: Images at once.
        on_image: Called on the way.

    Returns:
        What they say of N images, and the encoder's features of these, `[N, F]`.

    Raises:
        ValueError: If no image is left.
    """
    part = bundle.description.modes[mode]
    task = DEFAULT_TASKS["diagnosis"]
    chosen = [record for record in records if record.split == split and task.label(record) is not None]
    analyzer = Analyzer(bundle, mode=mode, streams=jobs)

    def ask(record: Record) -> tuple[NDArray[np.float64] | None, NDArray[np.float32] | None]:
        try:
            outcome = analyzer.analyze(record.path)
        except ImageError:
            return None, None
        return outcome.members, outcome.feature

    answers: list[tuple[Record, NDArray[np.float64]]] = []
    features: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor(jobs) as pool:
        for number, (record, (said, feature)) in enumerate(zip(chosen, pool.map(ask, chosen), strict=True), 1):
            if said is not None and feature is not None:
                answers.append((record, said))
                features.append(feature)
            on_image(number, len(chosen))
    if not answers:
        raise ValueError(f"the manifest has no image with a diagnosis in the split {split} to fit on")
    members = MemberAnswers(
        members=part.fusion.members,
        crops=part.fusion.crops,
        classes=part.fusion.classes,
        probabilities=np.stack([said for _, said in answers], axis=2),
        labels=np.array([task.label(record) for record, _ in answers], np.int64),
        groups=[f"{record.source}/{record.group_id}" for record, _ in answers],
        sources=[record.source for record, _ in answers],
    )
    return members, np.stack(features)


def _write_networks(
    plan: ModePlan, base: Bundle, folder: Path, images: Sequence[NDArray[np.uint8]]
) -> tuple[list[MemberPart], list[GraphCheck], list[str]]:
    """Graphs of all networks; modes that share one share its file, which is named after its weights, and its name."""
    others = (mode for name, mode in base.description.modes.items() if name != plan.name)
    names = {network.graph: network.name for mode in others for network in mode.networks}
    parts: list[MemberPart] = []
    checks: list[GraphCheck] = []
    learnt: list[str] = []
    for run in plan.runs:
        trained, network = load_cam_run(run)
        if trained.task != "diagnosis":
            raise CAMRunError(f"{run} answers the question {trained.task!r}; a mode needs networks for diagnosis")
        stored = "" if plan.weights == "float16" else f"-{plan.weights}"
        graph = f"network-{sha256_of(run / MODEL_NAME)[:_GRAPH_NAME_DIGITS]}{stored}.onnx"
        part = member_part(name_of_network(graph, names), graph, trained)
        changes: dict[str, object] = {"orientations": plan.orientations}
        if plan.views:
            changes |= {"crops": CropRules.model_validate({**dict(part.crops), "names": plan.views})}
            changes |= {"look": plan.look if "look" in plan.views else None}
        parts.append(MemberPart.model_validate({**dict(part), **changes}))
        if not (folder / graph).exists():
            checks += write_network(trained, network, folder / graph, images, weights=plan.weights)
        learnt.append(", ".join(f"{count:,} images of {source}" for source, count in trained.images.items()))
    return parts, checks, learnt


def name_of_network(graph: str, names: dict[str, str]) -> str:
    """What a network is called in every mode of a bundle: as it is already, or by the next number.

    Args:
        graph: Name of its file.
        names: Of the networks that have one, by file; the answer is added.
    """
    taken = set(names.values())
    return names.setdefault(graph, next(name for number in count(1) if (name := f"network {number}") not in taken))


def _provisional(plan: ModePlan, base: Bundle, parts: Sequence[MemberPart]) -> ModePart:
    """The mode before anything is fitted: the mean of all."""
    classes = base.description.heads.diagnosis.classes
    views = max([part.crops.names for part in parts], key=lambda names: len(names), default=("full",))
    names = (*([HEADS] if plan.heads else []), *(part.name for part in parts))
    return ModePart(
        meaning=plan.meaning,
        networks=tuple(parts),
        fusion=EnsembleDescription(
            schema_version=1, classes=classes, members=names, crops=views, across="together", rule="mean"
        ),
        frequencies=tuple([1 / len(classes)] * len(classes)),
        malignancy_definition=base.description.heads.malignancy_definition,
        malignancy_point=OperatingPoint(threshold=0.5, meaning="not fitted"),
    )


def _with_mode(
    base: Bundle,
    plan: ModePlan,
    part: ModePart,
    checks: Sequence[GraphCheck],
    learnt: Sequence[str],
    *,
    first: bool,
) -> BundleDescription:
    """The description of the new bundle."""
    old = base.description
    others = {name: one for name, one in old.modes.items() if name != plan.name}
    # A mode that is replaced keeps its place: the first of them answers where nobody names one.
    modes = {plan.name: part, **others} if first else {**old.modes, plan.name: part}
    title = f"mode {plan.name}"
    about = of_mode(plan.name)
    data = [line for line in old.training_data if not line.startswith(about)]
    data += [f"{about} {line}" for line in dict.fromkeys(learnt)]
    runs = ", ".join(run.resolve().name for run in plan.runs)
    new = old.model_copy(
        update={
            "modes": modes,
            "training_data": tuple(data),
            "provenance": {**old.provenance, title: f"networks of {runs or 'none'}"},
        }
    )
    graphs = set(new.graphs)
    measured = [one for one in old.metrics if not one.name.startswith(about)]
    if first:
        measured = [one for one in measured if one.name.startswith(_STILL_TRUE)]
    return new.model_copy(
        update={
            "graph_checks": tuple(check for check in (*old.graph_checks, *checks) if check.graph in graphs),
            "metrics": tuple(measured),
        }
    )


def _drop_unused(folder: Path) -> None:
    """Remove graphs of a mode that was replaced."""
    bundle = Bundle.load(folder)
    used = set(bundle.description.graphs)
    for path in folder.glob("network-*.onnx"):
        if path.name not in used:
            path.unlink()
    write_bundle(bundle.description, folder)
