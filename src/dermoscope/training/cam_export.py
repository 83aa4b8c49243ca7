"""From a run of a network, or of an ensemble of networks, to a folder that runs without torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

from dermoscope import __version__
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.bundle_parts import GraphCheck
from dermoscope.camnet.lesion_views import CropRules, lesion_views
from dermoscope.camnet.network import CAMNetwork
from dermoscope.camnet.second_look import LookRules
from dermoscope.encoders.inputs import prepare
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.evaluation.looks import DESCRIPTION_NAME as LOOKS_NAME
from dermoscope.lesion_classifier import DESCRIPTION, ClassifierDescription, LesionClassifier
from dermoscope.member_networks import INPUT, OUTPUTS
from dermoscope.model_folder import write_sums
from dermoscope.network_parts import FirstLookPart, MemberPart
from dermoscope.training.cam_description import DESCRIPTION_NAME, CAMModelDescription, CAMRunError
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.ensemble_run import ENSEMBLE_NAME, MEMBERS_NAME
from dermoscope.training.mask_graph_checks import compared
from dermoscope.training.onnx_graph import StoredWeights, export_onnx
from dermoscope.training.two_looks_description import FIRST, SECOND, TwoLooksDescription

Images = Sequence[NDArray[np.uint8]]


class _Outputs(nn.Module):
    """The network with what the runtime reads, in the order of its names."""

    def __init__(self, network: CAMNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answer = self.network(image)
        return answer.logits, answer.cams, answer.features


def is_classifier_run(run: Path) -> bool:
    """Whether a folder is the run of a network with class activation maps, of two looks, or of an ensemble."""
    return any((run / name).is_file() for name in (DESCRIPTION_NAME, LOOKS_NAME, ENSEMBLE_NAME))


def export_classifier(run: Path, out: Path, *, images: Images = (), name: str = "") -> LesionClassifier:
    """Write what a run trained as a folder of graphs.

    Args:
        run: Run of a network, of a network that looks twice, or of an ensemble.
        out: Folder to write; it must not exist.
        images: RGB images `[H, W, 3]` to compare the graphs with torch on.
        name: Of the classifier; by default that of the run's folder.

    Raises:
        CAMRunError: If the run is not finished, or damaged.
        EnsembleError: If its ensemble is damaged.
        ValueError: If its second look is at a random place.
        OutputError: If the folder cannot be written.
    """
    plan = _plan(run)
    networks = [load_cam_run(member) for member in plan.runs]
    first, _ = networks[0]
    ensemble = plan.ensemble or _alone(run.resolve().name, networks[-1][0], plan)
    draft = out.with_name(f".draft.{out.name}")
    shutil.rmtree(draft, ignore_errors=True)  # of an export that was killed
    try:
        with writing_to(out):
            draft.mkdir(parents=True)
            parts: list[MemberPart] = []
            checks: list[GraphCheck] = []
            # Who looks first and does not answer is no member.
            names = [FIRST, *ensemble.members] if len(networks) > len(ensemble.members) else ensemble.members
            for number, (member, (trained, network)) in enumerate(zip(names, networks, strict=True)):
                # Members are named by people; files are not.
                graph = f"network-{number + 1}.onnx"
                parts.append(member_part(member, graph, trained))
                checks += write_network(trained, network, draft / graph, images)
            description = ClassifierDescription(
                schema_version=1,
                name=name or run.resolve().name,
                version=__version__,
                task=first.task,
                definition=first.definition,
                members=tuple(parts[-len(ensemble.members) :]),
                ensemble=ensemble,
                first_look=plan.rules and FirstLookPart(member=parts[0], rules=plan.rules, looks=plan.looks),
                training_data=_learnt(networks),
                graph_checks=tuple(checks),
            )
            replace_file(draft / DESCRIPTION, f"{description.model_dump_json(indent=2)}\n".encode())
            write_sums(draft)
            LesionClassifier(draft)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return LesionClassifier(out)


def member_runs(run: Path) -> tuple[Path, ...]:
    """The runs of the networks behind a run: its own, or those of an ensemble's members.

    Raises:
        EnsembleError: If the ensemble is damaged.
        CAMRunError: If it is the run of a network that looks twice, which is no member of anything.
    """
    if (run / LOOKS_NAME).is_file():
        raise CAMRunError(f"{run} looks twice; a mode takes networks that look once")
    return tuple(_plan(run).runs)


def write_network(
    trained: CAMModelDescription,
    network: CAMNetwork,
    path: Path,
    images: Images = (),
    *,
    weights: StoredWeights = "float16",
) -> list[GraphCheck]:
    """Write the graph of a network.

    Args:
        trained: What it is.
        network: The network.
        path: The file to write.
        images: RGB images `[H, W, 3]` to compare the graph with torch on.
        weights: How they are stored.

    Returns:
        How far it is from torch on these images.
    """
    size = trained.contract.size
    module = _Outputs(network.to(memory_format=torch.contiguous_format)).eval()  # type: ignore[call-overload]
    export_onnx(module, {INPUT: torch.rand(1, 3, size, size)}, OUTPUTS, path, weights=weights)
    return list(_checks(module, path, trained, images)) if images else []


@dataclass(frozen=True)
class _Plan:
    """Whose networks are written.

    Attributes:
        runs: Theirs; where one looks first, it is the first.
        ensemble: How they become one; none for one network, or one that looks twice.
        rules: How the square of a second look is found; none without one.
        average: Whether both looks answer.
        looks: How many looks there are.
    """

    runs: list[Path]
    ensemble: EnsembleDescription | None = None
    rules: LookRules | None = None
    average: bool = False
    looks: Literal[2, 3] = 2


def _plan(run: Path) -> _Plan:
    if (run / ENSEMBLE_NAME).is_file():
        ensemble = Ensemble.load(run / ENSEMBLE_NAME).description
        return _Plan([run / MEMBERS_NAME / member for member in ensemble.members], ensemble)
    if not (run / LOOKS_NAME).is_file():
        return _Plan([run])
    try:
        looks = TwoLooksDescription.model_validate_json((run / LOOKS_NAME).read_bytes())
    except ValidationError as error:
        raise CAMRunError(f"{run / LOOKS_NAME}: {error.errors()[0]['msg']}; train again") from None
    if looks.look.rule == "random":
        raise ValueError(f"{run} looks again at a random place, which is there to be compared with and not to be used")
    return _Plan(
        [run / FIRST, run / SECOND],
        rules=looks.look,
        average=looks.answer == "average",
        looks=3 if looks.answer == "third look" else 2,
    )


def _alone(name: str, trained: CAMModelDescription, plan: _Plan) -> EnsembleDescription:
    """An ensemble of one, whose crops are averaged, or of both looks."""
    both = plan.average
    return EnsembleDescription(
        schema_version=1,
        classes=trained.classes,
        members=(FIRST, SECOND) if both else (name,),
        crops=("view",) if both else trained.crops.names,
        across="together",
        rule="mean",
    )


def member_part(name: str, graph: str, trained: CAMModelDescription) -> MemberPart:
    """What the runtime has to know of a network.

    Args:
        name: Of the member.
        graph: Its file.
        trained: What was trained.
    """
    crops = trained.crops
    return MemberPart(
        name=name,
        graph=graph,
        input=trained.contract,
        side=crops.side(trained.contract.size),
        cleaning=trained.cleaning,
        crops=CropRules(names=crops.names, middle=crops.middle, margin=crops.margin),
        backbone=trained.backbone,
        licence=trained.licence,
    )


def _learnt(networks: Sequence[tuple[CAMModelDescription, CAMNetwork]]) -> tuple[str, ...]:
    """What was learnt from, each once."""
    lines = (
        ", ".join(f"{count:,} images of {source}" for source, count in trained.images.items())
        for trained, _ in networks
    )
    return tuple(dict.fromkeys(lines))


def _checks(module: nn.Module, path: Path, trained: CAMModelDescription, images: Images) -> Iterator[GraphCheck]:
    """How far the graph is from torch, on the full squares of some images."""
    crops = CropRules(names=("full",))
    side = trained.crops.side(trained.contract.size)
    squares = [lesion_views(image, None, trained.cleaning, crops, side).squares[0] for image in images]
    inputs = [{INPUT: prepare(square, trained.contract).image} for square in squares]
    with torch.inference_mode():
        answers = [
            dict(zip(OUTPUTS, (part.numpy() for part in module(torch.from_numpy(one[INPUT]))), strict=True))
            for one in inputs
        ]
    return compared(path, inputs, answers)
