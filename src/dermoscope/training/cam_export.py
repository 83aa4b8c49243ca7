"""From a run of a network, or of an ensemble of networks, to a folder that runs without torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope import __version__
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.bundle import GraphCheck, write_sums
from dermoscope.camnet.lesion_views import CropRules, lesion_views
from dermoscope.camnet.network import CAMNetwork
from dermoscope.encoders.inputs import prepare
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.lesion_classifier import (
    DESCRIPTION,
    INPUT,
    OUTPUTS,
    ClassifierDescription,
    LesionClassifier,
    MemberPart,
)
from dermoscope.training.cam_description import DESCRIPTION_NAME, CAMModelDescription
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.ensemble_run import ENSEMBLE_NAME, MEMBERS_NAME
from dermoscope.training.mask_graph_checks import compared
from dermoscope.training.onnx_graph import export_onnx

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
    """Whether a folder is the run of a network with class activation maps, or of an ensemble of them."""
    return (run / DESCRIPTION_NAME).is_file() or (run / ENSEMBLE_NAME).is_file()


def export_classifier(run: Path, out: Path, *, images: Images = (), name: str = "") -> LesionClassifier:
    """Write what a run trained as a folder of graphs.

    Args:
        run: Run of a network, or of an ensemble.
        out: Folder to write; it must not exist.
        images: RGB images `[H, W, 3]` to compare the graphs with torch on.
        name: Of the classifier; by default that of the run's folder.

    Raises:
        CAMRunError: If the run is not finished, or damaged.
        EnsembleError: If its ensemble is damaged.
        OutputError: If the folder cannot be written.
    """
    if (run / ENSEMBLE_NAME).is_file():
        ensemble = Ensemble.load(run / ENSEMBLE_NAME).description
        runs = [run / MEMBERS_NAME / member for member in ensemble.members]
    else:
        ensemble, runs = None, [run]
    networks = [load_cam_run(member) for member in runs]
    first, _ = networks[0]
    ensemble = ensemble or _alone(run.resolve().name, first)
    draft = out.with_name(f".draft.{out.name}")
    shutil.rmtree(draft, ignore_errors=True)  # of an export that was killed
    try:
        with writing_to(out):
            draft.mkdir(parents=True)
            members: list[MemberPart] = []
            checks: list[GraphCheck] = []
            for number, (member, (trained, network)) in enumerate(zip(ensemble.members, networks, strict=True)):
                # Members are named by people; files are not.
                graph = f"member-{number + 1}.onnx"
                members.append(_member(member, graph, trained))
                size = trained.contract.size
                module = _Outputs(network.to(memory_format=torch.contiguous_format)).eval()  # type: ignore[call-overload]
                export_onnx(module, {INPUT: torch.rand(1, 3, size, size)}, OUTPUTS, draft / graph)
                checks += _checks(module, draft / graph, trained, images) if images else []
            description = ClassifierDescription(
                schema_version=1,
                name=name or run.resolve().name,
                version=__version__,
                task=first.task,
                definition=first.definition,
                members=tuple(members),
                ensemble=ensemble,
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


def _alone(name: str, trained: CAMModelDescription) -> EnsembleDescription:
    """An ensemble of one, whose crops are averaged."""
    return EnsembleDescription(
        schema_version=1,
        classes=trained.classes,
        members=(name,),
        crops=trained.crops.names,
        across="together",
        rule="mean",
    )


def _member(name: str, graph: str, trained: CAMModelDescription) -> MemberPart:
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
    squares = [lesion_views(image, None, trained.cleaning, crops, side)[0][0] for image in images]
    inputs = [{INPUT: prepare(square, trained.contract).image} for square in squares]
    with torch.inference_mode():
        answers = [
            dict(zip(OUTPUTS, (part.numpy() for part in module(torch.from_numpy(one[INPUT]))), strict=True))
            for one in inputs
        ]
    return compared(path, inputs, answers)
