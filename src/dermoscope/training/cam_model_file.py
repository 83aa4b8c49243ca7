"""The trained network of a run in torch: its tensors in place."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from dermoscope.camnet.network import CAMNetwork
from dermoscope.training.cam_description import MODEL_NAME, CAMModelDescription, CAMRunError, load_cam_description


def load_cam_run(run: Path) -> tuple[CAMModelDescription, CAMNetwork]:
    """The network that a run trained, in evaluation mode.

    Raises:
        CAMRunError: If the folder holds no finished run of such a network.
    """
    description = load_cam_description(run)
    try:
        network = CAMNetwork(
            description.backbone,
            len(description.classes),
            mask_head=description.mask_head,
            gap_convolution=description.gap_convolution,
        )
        network.load_state_dict(load_file(run / MODEL_NAME))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise CAMRunError(f"{run / MODEL_NAME} is damaged ({error}); train again") from None
    return description, network.eval()
