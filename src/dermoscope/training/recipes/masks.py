"""What a recipe for masks may say. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from dermoscope.encoders.inputs import Fit
from dermoscope.training.recipes.augmentation import AugmentationPart
from dermoscope.training.recipes.schema import Part, Share

NotNegative = Annotated[float, Field(ge=0.0)]


class LoRAPart(Part):
    """Low-rank changes to the encoder's attention.

    Attributes:
        rank: Of each change.
        alpha: The change is scaled by `alpha / rank`.

    References:
        Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022 (arXiv 2106.09685).
    """

    rank: PositiveInt = 8
    alpha: PositiveFloat = 16.0


class SAMPart(Part):
    """A model of the SAM family: image encoder, prompts, mask decoder.

    Attributes:
        kind: `sam`.
        encoder: Its name in the registry; the weights bring the decoder with them.
        size: Side of the encoder's square input in pixels.
        fit: How images that are not square fill it.
        trained: The decoder (on embeddings that are computed once, but for SAM 2), the decoder and low-rank changes to
            the encoder, or all of both.
        lora: Of the low-rank changes.
    """

    kind: Literal["sam"]
    encoder: str = "litemedsam"
    size: PositiveInt = 112
    fit: Fit = "squash"
    trained: Literal["decoder", "decoder and lora", "everything"] = "decoder"
    lora: LoRAPart = LoRAPart()


class UNetPart(Part):
    """A U-Net on a CNN that was trained on ImageNet: no prompts, all of it trained.

    Attributes:
        kind: `unet`.
        encoder: Its name in the registry.
        size: Side of the square input in pixels.
        fit: How images that are not square fill it.
    """

    kind: Literal["unet"]
    encoder: str = "tf_efficientnet_lite0"
    size: PositiveInt = 256
    fit: Fit = "squash"


ModelPart = Annotated[SAMPart | UNetPart, Field(discriminator="kind")]


class MaskLossPart(Part):
    """Weights of the terms of the loss.

    Attributes:
        dice: Soft Dice, image by image.
        cross_entropy: Binary cross-entropy, pixel by pixel.
        focal: Binary focal loss, pixel by pixel.
        gamma: Focusing parameter of the focal loss.
        predicted_iou: Squared error of the decoder's own estimate of its overlap.
    """

    dice: NotNegative = 1.0
    cross_entropy: NotNegative = 1.0
    focal: NotNegative = 0.0
    gamma: NotNegative = 2.0
    predicted_iou: NotNegative = 0.1


class PromptsPart(Part):
    """Which prompts a training image gets; a model without prompts ignores them.

    Attributes:
        none: Share of images without any.
        box: Share with a jittered box.
        clicks: Share with clicks on the lesion.
        most_clicks: Clicks are one to this many.
        corrected: Share of each batch that is decoded once more, with its mask and a click on the largest mistake.
    """

    none: Share = 0.5
    box: Share = 0.25
    clicks: Share = 0.25
    most_clicks: PositiveInt = 3
    corrected: Share = 0.25

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        if abs(self.none + self.box + self.clicks - 1) > 1e-6:
            raise ValueError("the shares none, box and clicks do not sum to 1")
        return self


class MaskOptimiserPart(Part):
    """AdamW with a warm-up, a cosine to zero, and a moving average of the weights.

    Attributes:
        learning_rate: Its peak.
        encoder_share: The encoder's rate as a share of it, where the encoder is trained.
        weight_decay: Its strength.
        batch_size: Images a step.
        warm_up: Share of all steps on the way up.
        largest_gradient: Norm that gradients are cut to.
        average: Decay of the moving average a step, smaller at first, so that the start is forgotten; 0 keeps none.
    """

    learning_rate: PositiveFloat = 2e-4
    encoder_share: Share = 0.2
    weight_decay: NotNegative = 0.01
    batch_size: PositiveInt = 16
    warm_up: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    largest_gradient: PositiveFloat = 1.0
    average: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.998


class MaskRecipe(Part):
    """How a model for lesion masks is trained.

    Attributes:
        learns: `masks`, which tells this kind of recipe from that of a head.
        name: Name of the recipe.
        description: What it is, for a person.
        source: Where its settings come from.
        model: What is trained.
        loss: What is made small.
        prompts: Which prompts a training image gets.
        augmentation: How copies of training images are changed.
        copies: Copies of each training image, the first as it is; epochs take turns with them. What is computed once
            for each copy is kept on disk.
        optimiser: Steps.
        epochs: How often every training image is seen, in one copy.
        seed: Of initialisation, order, prompts and augmentation.
        precision: Of the products of matrices; sums and losses stay in `float32`.
        variants: Named changes, as `--set` makes them: dotted key to value.
    """

    learns: Literal["masks"]
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    source: str = ""
    model: ModelPart
    loss: MaskLossPart = MaskLossPart()
    prompts: PromptsPart = PromptsPart()
    augmentation: AugmentationPart = AugmentationPart()
    copies: PositiveInt = 4
    optimiser: MaskOptimiserPart = MaskOptimiserPart()
    epochs: PositiveInt = 12
    seed: NonNegativeInt = 42
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    variants: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
