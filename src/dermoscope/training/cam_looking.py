"""What a network with class activation maps says of images as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope.camnet.network import CAMAnswer, CAMNetwork
from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.training.cam_data import CropData
from dermoscope.training.processes import Processes
from dermoscope.training.recipes.cams import ArithmeticPrecision


@dataclass(frozen=True, eq=False)
class Looked:
    """What a network says of N images.

    Attributes:
        logits: `[N, C, K]`, by crop.
        cams: `[N, C, K, h, w]`.
        features: `[N, C, F]`.
        masks: `[N, C, h, w]`, the lesion on the grid of the maps, 0 to 1.
    """

    logits: NDArray[np.float32]
    cams: NDArray[np.float32]
    features: NDArray[np.float32]
    masks: NDArray[np.float32]


def look(
    network: CAMNetwork,
    crops: CropData,
    count: int,
    batch_size: int,
    *,
    precision: ArithmeticPrecision = "float32",
    processes: Processes | None = None,
) -> Looked:
    """Look at every crop; the network is in evaluation mode afterwards.

    Args:
        network: Trained.
        crops: Of N images.
        count: C, how many of each.
        batch_size: Crops at once.
        precision: Of convolutions and products of matrices.
        processes: Those that share the work; all of them get the whole answer.
    """
    processes = processes or Processes()
    accelerator = processes.accelerator
    own = np.arange(len(crops) * count)[accelerator.process_index :: accelerator.num_processes]
    batches = [own[start : start + batch_size] for start in range(0, len(own), batch_size)]
    found: dict[int, list[NDArray[np.float32]]] = {}
    network.eval()
    with torch.inference_mode():
        for batch in crops.batches(count, batches, None):
            # The network itself: processes have different numbers of batches, and must not wait for each other here.
            answer = answer_of(network, batch.images.to(accelerator.device), precision)
            arrays = (answer.logits, answer.cams, answer.features, batch.masks)
            parts = [array.float().cpu().numpy() for array in arrays]
            found |= {sample: [part[row] for part in parts] for row, sample in enumerate(batch.samples.tolist())}
    if accelerator.num_processes > 1:
        found = {sample: arrays for part in gather_object([found]) for sample, arrays in part.items()}
    rows = [found[sample] for sample in range(len(crops) * count)]
    stacked = [np.stack(column) for column in zip(*rows, strict=True)]
    return Looked(*(part.reshape(len(crops), count, *part.shape[1:]) for part in stacked))


def answer_of(network: nn.Module, images: Tensor, precision: ArithmeticPrecision) -> CAMAnswer:
    """The network's answer on images `[B, 3, S, S]`; arithmetic as asked for, results in single precision."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        answer = network(images)
    masks = None if answer.masks is None else answer.masks.float()
    return CAMAnswer(answer.logits.float(), answer.cams.float(), answer.features.float(), masks)


def crop_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax of logits `[..., K]`, not calibrated."""
    return calibrated_probabilities(logits, 1.0, np.zeros(logits.shape[-1]))
