"""From a run for masks to a bundle: another bundle, with what the run trained in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermoscope.batch.files import writing_to
from dermoscope.bundle import Bundle, BundleDescription
from dermoscope.bundle_parts import GraphCheck, MaskNetworkPart
from dermoscope.encoders.registry import encoder_spec
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.mask_network import INPUT, OUTPUT
from dermoscope.segment.unet import UNet
from dermoscope.training.export import DECODER, export_decoder, write_bundle
from dermoscope.training.mask_graph_checks import check_decoder, check_network
from dermoscope.training.mask_model_file import MaskModelDescription, MaskRunError, load_mask_run
from dermoscope.training.onnx_graph import export_onnx

ENCODER_WEIGHTS = "encoder weights sha256"
"""What the provenance of a bundle calls the weights of its encoder."""
MASK_NETWORK = "mask_network.onnx"

Images = Sequence[NDArray[np.uint8]]
State = dict[str, Tensor]


def bundle_with_masks(run: Path, base: Bundle, out: Path, *, images: Images = (), name: str = "") -> Bundle:
    """Write a bundle with what a run for masks trained and all else of another; its measured masks are left out.

    A decoder takes the place of the other bundle's, and of a mask network in it: it has learnt to need no prompt. A
    U-Net draws the masks that nobody gives a prompt for; the decoder stays for those that somebody does.

    Args:
        run: Run of a recipe for masks: of a U-Net, or of a decoder on the encoder of the other bundle.
        base: The other bundle.
        out: Folder to write; it must not exist.
        images: RGB images `[H, W, 3]` to compare the graph with torch on.
        name: Of the new bundle; by default that of the other one with the name of the recipe.

    Raises:
        MaskRunError: If the run cannot go into that bundle.
        OutputError: If the folder cannot be written.
    """
    trained, state = load_mask_run(run)
    if trained.kind == "sam":
        _check_fit(run, trained, base)
    draft = out.with_name(f".draft.{out.name}")
    shutil.rmtree(draft, ignore_errors=True)  # of an export that was killed
    try:
        with writing_to(out):
            shutil.copytree(base.folder, draft)
            put = _put_decoder if trained.kind == "sam" else _put_network
            changes, checks = put(trained, state, base.description, draft, images)
            write_bundle(_changed(base.description, trained, changes, checks, name), draft)
            Bundle.load(draft)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(out)


def _put_decoder(
    trained: MaskModelDescription, state: State, old: BundleDescription, folder: Path, images: Images
) -> tuple[dict[str, Any], list[GraphCheck]]:
    decoder = PromptedMaskDecoder(trained.contract.size).eval()
    decoder.load_state_dict({key.removeprefix("decoder."): value for key, value in state.items()})
    graph = folder / DECODER
    export_decoder(decoder, trained.contract, graph)
    part = old.decoder.model_copy(
        update={
            "graph": DECODER,
            "prompts": "no prompt",
            "confidence_slope": trained.confidence_slope,
            "confidence_intercept": trained.confidence_intercept,
        }
    )
    checks = check_decoder(decoder, graph, folder / old.encoder.graph, trained.contract, images) if images else ()
    if old.mask_network:
        (folder / old.mask_network.graph).unlink()
    return {"decoder": part, "mask_network": None}, list(checks)


def _put_network(
    trained: MaskModelDescription, state: State, _old: BundleDescription, folder: Path, images: Images
) -> tuple[dict[str, Any], list[GraphCheck]]:
    network = UNet(trained.encoder).eval()
    network.load_state_dict({key.removeprefix("network."): value for key, value in state.items()})
    graph, size = folder / MASK_NETWORK, trained.contract.size
    export_onnx(network, {INPUT: torch.rand(1, 3, size, size)}, (OUTPUT,), graph)
    part = MaskNetworkPart(
        name=trained.encoder,
        graph=MASK_NETWORK,
        input=trained.contract,
        confidence_slope=trained.confidence_slope,
        confidence_intercept=trained.confidence_intercept,
        licence=trained.licence,
        source=encoder_spec(trained.encoder).source,
    )
    checks = check_network(network, graph, trained.contract, images) if images else ()
    return {"mask_network": part}, list(checks)


def _changed(
    old: BundleDescription,
    trained: MaskModelDescription,
    changes: dict[str, Any],
    checks: Sequence[GraphCheck],
    name: str,
) -> BundleDescription:
    """The description of the new bundle: what was measured of masks no longer holds."""
    title = "mask network" if trained.kind == "unet" else "mask decoder"
    before = [old.mask_network] if trained.kind == "unet" else [old.decoder, old.mask_network]
    gone = {part.graph for part in before if part}
    kept = [check for check in old.graph_checks if check.graph not in gone]
    learnt = ", ".join(f"{count:,} images of {source}" for source, count in trained.images.items())
    titles = (title,) if trained.kind == "unet" else (title, "mask network")
    data = [line for line in old.training_data if not line.startswith(tuple(f"{one}:" for one in titles))]
    if learnt:
        data.append(f"{title}: {learnt}")
    made = f"recipe {trained.recipe}, dermoscope {trained.version}"
    if trained.start_sha256:
        made += f", begun from model {trained.start_sha256[:16]}"
    new = old.model_copy(
        update={
            **changes,
            "name": name or f"{old.name}-{trained.recipe}",
            # The crops of a mode lie around the mask: what it said before, it no longer says.
            "metrics": tuple(metric for metric in old.metrics if not metric.name.startswith(("mask ", "mode "))),
            "graph_checks": (*kept, *checks),
            "training_data": tuple(data),
            "provenance": {k: v for k, v in old.provenance.items() if k not in titles} | {title: made},
        }
    )
    return BundleDescription.model_validate(new.model_dump())


def _check_fit(run: Path, trained: MaskModelDescription, base: Bundle) -> None:
    if not trained.goes_into_a_bundle:
        raise MaskRunError(
            f"{run} trained {trained.trained} of {trained.encoder}, and a bundle keeps its encoder, a TinyViT that its "
            "heads know; train skinsam-decoder or unet for a bundle"
        )
    part = base.description.encoder
    if (trained.encoder, trained.contract) != (part.name, part.input):
        raise MaskRunError(
            f"{run} was trained on {trained.encoder} at {trained.contract.size} px ({trained.contract.fit}), "
            f"the bundle {base.name} has {part.name} at {part.input.size} px ({part.input.fit}); name another --bundle"
        )
    known = base.description.provenance.get(ENCODER_WEIGHTS)
    if known and known != trained.weights_sha256:
        raise MaskRunError(f"{run} was trained on other weights of {part.name} than the bundle {base.name} has")
