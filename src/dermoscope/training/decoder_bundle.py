"""From the run of a fine-tuned mask decoder to a bundle: another bundle, with this decoder in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from dermoscope.batch.files import writing_to
from dermoscope.bundle import Bundle, BundleDescription, DecoderPart, GraphCheck
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import compile_graph
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.segment.prompts import PADDING_LABEL
from dermoscope.training.export import DECODER, ENGINES, export_decoder, write_bundle
from dermoscope.training.mask_run import DESCRIPTION_NAME, MODEL_NAME, MaskModelDescription
from dermoscope.training.onnx_graph import largest_difference

ENCODER_WEIGHTS = "encoder weights sha256"
"""What the provenance of a bundle calls the weights of its encoder."""
_PREFIX = "decoder."


class MaskRunError(ValueError):
    """A run cannot go into a bundle; the message says why and what to do."""


def load_mask_run(run: Path) -> tuple[MaskModelDescription, dict[str, torch.Tensor]]:
    """What a run for masks trained, and its tensors.

    Raises:
        MaskRunError: If the folder holds no finished run for masks.
    """
    path = run / DESCRIPTION_NAME
    if not path.is_file() or not (run / MODEL_NAME).is_file():
        raise MaskRunError(f"{run} holds no finished run for masks; dermoscope train makes one, --resume finishes one")
    try:
        return MaskModelDescription.model_validate_json(path.read_bytes()), load_file(run / MODEL_NAME)
    except ValidationError as error:
        raise MaskRunError(f"{path}: {error.errors()[0]['msg']}; train again") from None
    except (SafetensorError, OSError) as error:
        raise MaskRunError(f"{run / MODEL_NAME} is damaged ({error}); train again") from None


def bundle_with_decoder(
    run: Path, base: Bundle, out: Path, *, images: Sequence[NDArray[np.uint8]] = (), name: str = ""
) -> Bundle:
    """Write a bundle with the decoder of a run and all else of another bundle; measured masks of that one are left out.

    Args:
        run: Run of a recipe for masks that left the encoder as it is.
        base: The other bundle, whose encoder the run was trained on.
        out: Folder to write; it must not exist.
        images: RGB images `[H, W, 3]` to compare the graph with torch on.
        name: Of the new bundle; by default that of the other one with the name of the recipe.

    Raises:
        MaskRunError: If the run cannot go into that bundle.
        OutputError: If the folder cannot be written.
    """
    trained, state = load_mask_run(run)
    _check_fit(run, trained, base)
    decoder = PromptedMaskDecoder(trained.contract.size)
    decoder.load_state_dict({key.removeprefix(_PREFIX): value for key, value in state.items()})
    with writing_to(out):
        shutil.copytree(base.folder, out)
        export_decoder(decoder.eval(), trained.contract, out / DECODER)
    old = base.description
    part = DecoderPart(
        graph=DECODER,
        prompts="no prompt",
        rules=old.decoder.rules,
        confidence_slope=trained.confidence_slope,
        confidence_intercept=trained.confidence_intercept,
    )
    checks = [check for check in old.graph_checks if check.graph != old.decoder.graph]
    checks += check_decoder(decoder, BundleGraphs(base, out), images) if images else []
    description = old.model_copy(
        update={
            "name": name or f"{old.name}-{trained.recipe}",
            "decoder": part,
            "metrics": tuple(metric for metric in old.metrics if not metric.name.startswith("mask ")),
            "graph_checks": tuple(checks),
            "provenance": {**old.provenance, "mask decoder": f"recipe {trained.recipe}, dermoscope {trained.version}"},
        }
    )
    write_bundle(BundleDescription.model_validate(description.model_dump()), out)
    return Bundle.load(out)


class BundleGraphs:
    """Where the graphs of a new bundle lie.

    Args:
        base: The bundle that the encoder comes from.
        folder: Of the new bundle.
    """

    def __init__(self, base: Bundle, folder: Path) -> None:
        self.contract = base.description.encoder.input
        self.encoder, self.decoder = folder / base.description.encoder.graph, folder / DECODER


def check_decoder(
    decoder: PromptedMaskDecoder, graphs: BundleGraphs, images: Sequence[NDArray[np.uint8]]
) -> list[GraphCheck]:
    """Compare the decoder's graph on every engine with torch, on embeddings of real images, without and with prompts.

    Args:
        decoder: The torch module.
        graphs: The graphs.
        images: RGB images `[H, W, 3]`.
    """
    size, side = graphs.contract.size, 4 * graphs.contract.map_size
    encoder = compile_graph(graphs.encoder, precision="float32")
    prepared = [prepare(image, graphs.contract) for image in images]
    embeddings = [encoder({"image": p.image, "pool_weights": p.pool_weights})["embedding"] for p in prepared]
    points = np.array([[[0, 0], [0, 0]], [[0.2 * size, 0.2 * size], [0.8 * size, 0.8 * size]]], np.float32)
    earlier = np.zeros((2, 1, side, side), np.float32)
    earlier[1, :, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 4.0
    prompts = {
        "points": points,
        "labels": np.array([[PADDING_LABEL, PADDING_LABEL], [2, 3]]),
        PREVIOUS: earlier,
        HAS_PREVIOUS: np.array([0.0, 1.0], np.float32),
    }
    with torch.inference_mode():
        given = {key: torch.from_numpy(value) for key, value in prompts.items()}
        answers = [decoder(torch.from_numpy(embedding), **given) for embedding in embeddings]
    checks = []
    for label, engine, precision in ENGINES:
        graph = compile_graph(graphs.decoder, engine=engine, precision=precision)
        found = [graph({"embedding": embedding, **prompts}) for embedding in embeddings]
        for index, output in enumerate(("masks", "overlaps")):
            pairs = [(ours[output], theirs[index].numpy()) for ours, theirs in zip(found, answers, strict=True)]
            checks.append(
                GraphCheck(
                    graph=DECODER,
                    output=output,
                    engine=label,
                    largest_difference=round(max(largest_difference(*pair) for pair in pairs), 6),
                    scale=round(float(np.std(np.stack([theirs for _, theirs in pairs]))), 6),
                    images=len(images),
                )
            )
    return checks


def _check_fit(run: Path, trained: MaskModelDescription, base: Bundle) -> None:
    if trained.kind != "sam" or trained.trained != "decoder":
        what = "a U-Net" if trained.kind == "unet" else "another encoder"
        raise MaskRunError(
            f"{run} trained {what}, which a bundle's heads do not know; train skinsam-decoder for a bundle"
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
