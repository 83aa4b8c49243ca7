"""What a recipe for masks trains: a model that takes a batch and its prompts and answers with logits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.inputs import InputContract, input_contract
from dermoscope.encoders.load import first_lines, load_encoder
from dermoscope.encoders.registry import EncoderSpec, encoder_spec
from dermoscope.encoders.shapes import HieraShape, TimmShape
from dermoscope.encoders.weights import WeightsError, weight_files
from dermoscope.segment.lora import add_low_rank
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.sam2_decoder import sam2_config
from dermoscope.segment.unet import UNet
from dermoscope.training.mask_prompts import PromptBatch
from dermoscope.training.recipes.masks import MaskRecipe, SAMPart

# isort: split
from transformers import Sam2Model

SINGLE_MASK = 0
"""The decoder's output for one mask, which is what is trained."""


class MaskModel(Protocol):
    """Anything that a `MaskTrainer` trains."""

    def __call__(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, Tensor | None]:
        """Logits `[B, S, S]`, and predicted intersections over union `[B]` or none."""
        ...


class SAMModel(nn.Module):
    """Encoder, if it is trained, and prompted decoder.

    Args:
        decoder: The decoder.
        encoder: Turns images into embeddings; none where the inputs are embeddings already.
    """

    def __init__(self, decoder: PromptedMaskDecoder, encoder: ImageEncoder | None = None) -> None:
        super().__init__()
        self.decoder, self.encoder = decoder, encoder

    def forward(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        """Logits `[B, S, S]` and predicted intersections over union `[B]` of embeddings or images."""
        embeddings = inputs if self.encoder is None else self.encoder(inputs)
        masks, overlaps = self.decoder(
            embeddings, prompts.points, prompts.labels, prompts.previous, prompts.has_previous
        )
        return masks[:, SINGLE_MASK], overlaps[:, SINGLE_MASK]


class SAM2Model(nn.Module):
    """SAM 2 as a whole: its decoder takes two finer maps beside the embedding, so encoder and decoder stay together.

    Args:
        whole: The model, made for the size of its input.
    """

    def __init__(self, whole: Sam2Model) -> None:
        super().__init__()
        # Its other masks are not trained, so none of them may take the place of an unstable one.
        whole.mask_decoder.dynamic_multimask_via_stability = False
        self.whole = whole

    @classmethod
    def from_state(cls, shape: HieraShape, contract: InputContract, state: Mapping[str, Tensor]) -> SAM2Model:
        """Build the model from tensors in the names of `transformers`' Sam2Model; those for video are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        whole = Sam2Model(sam2_config(contract, shape))
        missing = whole.load_state_dict(dict(state), strict=False).missing_keys
        if missing:
            raise RuntimeError(f"{missing[0]} is missing ({len(missing)} missing tensors in all)")
        return cls(whole)

    @property
    def encoder(self) -> nn.Module:
        """What turns images into maps."""
        return cast(nn.Module, self.whole.vision_encoder)

    def forward(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        """Logits `[B, S, S]` and predicted intersections over union `[B]` of images."""
        found = self.whole(
            pixel_values=inputs,
            input_points=prompts.points[:, None],
            input_labels=prompts.labels[:, None],
            input_masks=prompts.previous,
            multimask_output=False,
        )
        return found.pred_masks[:, 0, SINGLE_MASK], found.iou_scores[:, 0, SINGLE_MASK]


class UNetModel(nn.Module):
    """A U-Net, which takes no prompts.

    Args:
        network: The U-Net.
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, None]:  # noqa: ARG002 - as a `MaskModel`
        """Logits `[B, S, S]` of images."""
        return cast(Tensor, self.network(inputs.to(memory_format=torch.channels_last))), None


Trainable = SAMModel | SAM2Model | UNetModel
"""What a recipe for masks can train."""


def model_contract(recipe: MaskRecipe) -> tuple[EncoderSpec, InputContract]:
    """The encoder that a recipe names, and how it wants its images.

    Raises:
        ValueError: If there is no such encoder, it does not take that size, or it has no mask decoder.
    """
    spec = encoder_spec(recipe.model.encoder)
    if isinstance(recipe.model, SAMPart) and isinstance(spec.shape, TimmShape):
        raise ValueError(f"model.encoder: {spec.name} brings no mask decoder that this recipe can train")
    return spec, input_contract(spec, recipe.model.size, recipe.model.fit)


def build_model(
    recipe: MaskRecipe, weights: Path, start: Mapping[str, Tensor] | None = None
) -> tuple[Trainable, list[dict[str, object]]]:
    """The model that a recipe names with its pretrained weights, and the groups of parameters to train.

    Args:
        recipe: What to do.
        weights: The safetensors file of the whole model, or of the CNN for a U-Net.
        start: Tensors of a model that this recipe has trained before, which take the place of the pretrained ones.

    Raises:
        WeightsError: If the weights are missing or another model's.
        RuntimeError: If `start` is another model's.
        ValueError: If the recipe names what cannot be.
    """
    spec, contract = model_contract(recipe)
    torch.manual_seed(recipe.seed)
    state = {name: tensor for file in weight_files(weights) for name, tensor in load_file(file).items()}
    try:
        model = _pretrained(recipe, spec, contract, state)
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"{weights} does not hold the weights of {spec.name}: {first_lines(error)}") from None
    if isinstance(model, SAMModel) and isinstance(recipe.model, SAMPart) and recipe.model.trained != "decoder":
        model.encoder = load_encoder(spec, weights)
    if start is not None:
        model.load_state_dict(start)
    return model, _trained(model, recipe)


def _pretrained(
    recipe: MaskRecipe, spec: EncoderSpec, contract: InputContract, state: Mapping[str, Tensor]
) -> Trainable:
    if not isinstance(recipe.model, SAMPart):
        return UNetModel(UNet.from_encoder_weights(state, spec.name))
    if isinstance(spec.shape, HieraShape):
        return SAM2Model.from_state(spec.shape, contract, state)
    return SAMModel(PromptedMaskDecoder.from_state(contract.size, state))


def _trained(model: Trainable, recipe: MaskRecipe) -> list[dict[str, object]]:
    """What of a model is trained, and how fast; the rest is frozen, and LoRA is added."""
    rate, share = recipe.optimiser.learning_rate, recipe.optimiser.encoder_share
    if isinstance(model, UNetModel):
        network = model.network
        new = [*network.decoder.parameters(), *network.classifier.parameters()]
        return [{"params": new, "lr": rate}, {"params": list(network.encoder.parameters()), "lr": rate * share}]
    if isinstance(model, SAM2Model):
        model.whole.no_memory_embedding.requires_grad_(False)  # a part of what the encoder gives
        own = [*model.whole.prompt_encoder.parameters(), *model.whole.mask_decoder.parameters()]
    else:
        own = list(model.decoder.parameters())
    groups: list[dict[str, object]] = [{"params": own, "lr": rate}]
    part = recipe.model
    if model.encoder is None or not isinstance(part, SAMPart):
        return groups
    model.encoder.requires_grad_(part.trained == "everything")
    if part.trained == "everything":
        groups.append({"params": list(model.encoder.parameters()), "lr": rate * share})
    elif part.trained == "decoder and lora":
        # The changes start from nothing, so they learn as fast as the decoder.
        groups.append({"params": add_low_rank(model.encoder, part.lora.rank, part.lora.alpha), "lr": rate})
    return groups
