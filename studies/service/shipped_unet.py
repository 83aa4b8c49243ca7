"""A run folder from the mask network of a bundle, so that `dermoscope train unet --start` can go on from it.

A graph for inference has its batch normalisations folded into the convolutions before them. Here they are unfolded:
each gets the mean and spread that its convolution gives on some images, and the scale and shift that undo them, so that
the network answers as before and can learn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from dermoscope.bundle import Bundle
from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import prepare
from dermoscope.files import sha256_of
from dermoscope.images import decode
from dermoscope.segment.unet import UNet
from dermoscope.training.mask_model_file import DESCRIPTION_NAME, MODEL_NAME, MaskModelDescription

BATCH = 16
PREFIX = "network."  # what a run calls the U-Net within its model


def write_start(bundle: Bundle, records: Sequence[Record], weights: Path, folder: Path) -> float:
    """Write the run folder.

    Args:
        bundle: With a mask network.
        records: Images to measure mean and spread on.
        weights: Of the network's encoder, as the training wants them named.
        folder: To write.

    Returns:
        Largest difference between the logits before and after, over the first batch.
    """
    part = bundle.description.mask_network
    assert part is not None, "the bundle has no mask network"
    network = UNet(part.name).eval()
    pairs = load_folded(network, bundle.graph_path(part))
    batches = [
        torch.from_numpy(
            np.concatenate([prepare(decode(r.path).rgb, part.input).image for r in records[at : at + BATCH]])
        )
        for at in range(0, len(records), BATCH)
    ]
    with torch.inference_mode():
        before = network(batches[0])
        unfold(network, pairs, batches)
        difference = float((network(batches[0]) - before).abs().max())
    folder.mkdir(parents=True)
    save_file(
        {f"{PREFIX}{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / MODEL_NAME
    )
    description = MaskModelDescription(
        recipe="unet",
        kind="unet",
        trained="everything",
        encoder=part.name,
        contract=part.input,
        weights_sha256=sha256_of(weights),
        confidence_slope=part.confidence_slope,
        confidence_intercept=part.confidence_intercept,
        licence=part.licence,
    )
    (folder / DESCRIPTION_NAME).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return difference


def load_folded(network: UNet, graph: Path) -> list[nn.BatchNorm2d]:
    """Put the graph's weights into the network, with normalisations that only shift; returns these in order."""
    stored = {
        tensor.name.removesuffix("_half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in onnx.load(str(graph)).graph.initializer
    }
    state: dict[str, Tensor] = {}
    folded: tuple[str, nn.Conv2d] | None = None
    norms = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            state[f"{name}.weight"] = stored[f"{name}.weight"]
            folded = (name, module)
            if module.bias is not None:
                state[f"{name}.bias"] = stored[f"{name}.bias"]
        elif isinstance(module, nn.BatchNorm2d):
            assert folded is not None
            shift = stored[f"{folded[0]}.weight_bias"]
            state[f"{name}.bias"] = shift
            state[f"{name}.weight"] = torch.ones_like(shift)
            state[f"{name}.running_mean"] = torch.zeros_like(shift)
            state[f"{name}.running_var"] = torch.full_like(shift, 1 - module.eps)
            state[f"{name}.num_batches_tracked"] = torch.tensor(0)
            norms.append(module)
    network.load_state_dict(state)
    return norms


def unfold(network: UNet, norms: Sequence[nn.BatchNorm2d], batches: Sequence[Tensor]) -> None:
    """Give each normalisation the mean and spread of what comes in, and the scale and shift that undo them."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for norm in norms}

    def watch(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        values = inputs[0].double()
        sums[norm].append(torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))]) * len(values))

    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    images = sum(len(batch) for batch in batches)
    for norm in norms:
        mean, square = (torch.stack(sums[norm]).sum(0) / images).unbind()
        spread = square - mean.square()
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(spread)
        norm.weight.copy_((spread + norm.eps).sqrt())
        norm.bias += mean
