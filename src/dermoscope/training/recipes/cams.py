"""What a recipe for a network with class activation maps may say. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from dermoscope.camnet.lesion_views import AROUND_THE_LESION, Cleaning, CropRules
from dermoscope.evaluation.training_run import LAST_EPOCH
from dermoscope.training.recipes.augmentation import AugmentationPart
from dermoscope.training.recipes.masks import NotNegative
from dermoscope.training.recipes.schema import (
    ConstantPart,
    NaturalPart,
    OneCyclePart,
    Part,
    PlateauPart,
    PublishedPart,
    Share,
    StoppingPart,
    TaskPart,
    WeightedPart,
    Weights,
)

ShareBelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]
CamNormalisation = Literal["softmax", "min-max"]
ArithmeticPrecision = Literal["float32", "bfloat16"]
MaskSource = Literal["manifest", "folder", "classical", "none"]


class CAMNetworkPart(Part):
    """A convolutional network of timm, global average pooling, one linear layer.

    Attributes:
        backbone: Its name in timm.
        size: Side of the square input in pixels.
        dropout: Probability of dropping a pooled feature in training.
        drop_path: Probability of skipping a whole block in training, for the deepest one; not every backbone has it.
        gap_convolution: Channels of a 3×3 convolution between backbone and average, in the place of the pooling that
            may close the backbone; 0 has none. VGG-GAP has 1024.
        frozen_stages: So many of the backbone's first stages keep their pretrained weights and statistics; the stem is
            the first. What those know is common to all pictures, and most of a step's time is spent in learning it.
    """

    backbone: str = "tf_efficientnet_lite0"
    size: PositiveInt = 224
    dropout: ShareBelowOne = 0.0
    drop_path: ShareBelowOne = 0.0
    gap_convolution: NonNegativeInt = 0
    frozen_stages: NonNegativeInt = 0


class CropsPart(CropRules):
    """Squares that are cut out of each training image.

    Attributes:
        masks: Where masks come from: the manifest, a folder of predicted ones (`--masks`), or the classical pipeline;
            with `none` nothing may need them, and nothing is said of where the network looks.
        each_epoch: Whether an epoch shows all squares of an image, as published, or one of them, drawn anew.
        room: Side of the squares that are kept on disk, over the side of the input: room for augmentation.
    """

    masks: MaskSource = "manifest"
    each_epoch: Literal["all", "one"] = "one"
    room: Annotated[float, Field(ge=1.0, le=4.0)] = 1.15

    def side(self, size: int) -> int:
        """Side in pixels at which squares are cut for an input of `size` pixels."""
        return round(size * self.room)


class CentrePart(Part):
    """Features close to the centre of their class.

    Attributes:
        weight: Of the term; 0 leaves it out.
        after_epoch: The first epochs, this many, are without it: centres mean nothing before.
        momentum: Share of the old centre that an epoch keeps.
        averaged: Divide by the number of features, where the publication has the plain sum.
    """

    weight: NotNegative = 0.0
    after_epoch: PositiveInt = 1
    momentum: ShareBelowOne = 0.0
    averaged: bool = True


class DivergencePart(Part):
    """Class activation maps of one image that agree.

    Attributes:
        weight: Of the term; 0 leaves it out.
        penalty: Regularisation weight of the penalised form; none takes the plain one.
        per: What is penalised: each pixel's share of the divergence, or its sum.
        normalisation: How maps become distributions.
        temperature: Of the spatial softmax.
    """

    weight: NotNegative = 0.0
    penalty: PositiveFloat | None = None
    per: Literal["pixel", "sum"] = "pixel"
    normalisation: CamNormalisation = "softmax"
    temperature: PositiveFloat = 1.0


class CAMLossPart(Part):
    """Terms of the loss.

    Attributes:
        gamma: Focusing parameter of the focal loss; 0 is cross-entropy.
        class_weights: Class weights of the classification term.
        label_smoothing: Share of each label that is spread over all classes; for cross-entropy alone.
        centre: Intra-class term.
        divergence: Inter-class term.
        lesion_focus: Weight of the lesion-focus loss, which needs masks.
        mask_head: Weight of the cross-entropy of a mask that a further head draws, which needs masks.
    """

    gamma: NotNegative = 0.0
    class_weights: Weights = "equal"
    label_smoothing: ShareBelowOne = 0.0
    centre: CentrePart = CentrePart()
    divergence: DivergencePart = DivergencePart()
    lesion_focus: NotNegative = 0.0
    mask_head: NotNegative = 0.0

    @model_validator(mode="after")
    def _smoothing_is_for_cross_entropy(self) -> Self:
        if self.label_smoothing and self.gamma:
            raise ValueError("label_smoothing: the focal loss has none; set gamma to 0 or label_smoothing to 0")
        return self


class CAMOptimiserPart(Part):
    """Steps.

    Attributes:
        kind: `adadelta` as published, or `adamw`.
        learning_rate: Its peak.
        rho: Decay of Adadelta's averages.
        backbone_share: The backbone's rate as a share of it.
        weight_decay: Its strength.
        batch_size: Crops a step, over all devices.
        largest_gradient: Norm that gradients are cut to; none leaves them.
        average: Decay of the moving average of the weights a step, smaller at first; 0 keeps none.
    """

    kind: Literal["adadelta", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    rho: Share = 0.9
    backbone_share: Share = 1.0
    weight_decay: NotNegative = 0.01
    batch_size: PositiveInt = 32
    largest_gradient: PositiveFloat | None = None
    average: ShareBelowOne = 0.0


CAMSchedulePart = Annotated[ConstantPart | OneCyclePart | PlateauPart, Field(discriminator="kind")]
CAMSample = Annotated[NaturalPart | WeightedPart, Field(discriminator="kind")]


class CAMStoppingPart(StoppingPart):
    """When to stop, and what to keep.

    Attributes:
        select: See the base class; also the mean over classes of the AUC of each against the others, or the last epoch,
            so that few validation images choose nothing.
    """

    select: Literal["loss", "accuracy", "balanced accuracy", "mean AUC", "last epoch"] = "balanced accuracy"  # type: ignore[assignment]

    @model_validator(mode="after")
    def _patience_waits_for_a_measure(self) -> CAMStoppingPart:
        if self.patience and self.select == LAST_EPOCH:
            raise ValueError("patience: waits for a better epoch, and select: last epoch knows none")
        return self


class CAMRecipe(Part):
    """How a network with class activation maps is trained.

    Attributes:
        learns: `class maps`, which tells this kind of recipe from the others.
        name: Name of the recipe.
        description: What it is, for a person.
        source: Where its settings come from.
        task: What is learnt.
        model: The network.
        cleaning: What is done to images first.
        crops: What is cut out of them.
        augmentation: How training crops are changed, anew in every epoch.
        loss: What is made small.
        sampling: Which training images an epoch shows.
        optimiser: Steps.
        schedule: Their length.
        stopping: When to stop, and what to keep.
        seed: Of initialisation, order, dropout and augmentation.
        precision: Of convolutions and products of matrices; sums and losses stay in `float32`.
        published: What its authors measured; none where they published nothing for these settings.
        variants: Named changes, as `--set` makes them: dotted key to value.
    """

    learns: Literal["class maps"]
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    source: str = ""
    task: TaskPart
    model: CAMNetworkPart = CAMNetworkPart()
    cleaning: Cleaning = Cleaning()
    crops: CropsPart = CropsPart()
    augmentation: AugmentationPart = AugmentationPart()
    loss: CAMLossPart = CAMLossPart()
    sampling: CAMSample = NaturalPart(kind="natural")
    optimiser: CAMOptimiserPart = CAMOptimiserPart()
    schedule: CAMSchedulePart = ConstantPart(kind="constant")
    stopping: CAMStoppingPart
    seed: NonNegativeInt = 42
    precision: ArithmeticPrecision = "float32"
    published: PublishedPart | None = None
    variants: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _views_are_of_features(self) -> Self:
        if self.sampling.views != ("original",):
            raise ValueError("sampling.views: views are of stored features; augmentation changes the images here")
        return self

    @model_validator(mode="after")
    def _what_needs_masks_has_them(self) -> Self:
        needed = {
            f"crops.names={list(self.crops.names)}": bool(AROUND_THE_LESION & set(self.crops.names)),
            "loss.lesion_focus": self.loss.lesion_focus,
            "loss.mask_head": self.loss.mask_head,
        }
        wanting = [name for name, needs in needed.items() if needs]
        if self.crops.masks == "none" and wanting:
            raise ValueError(f"crops.masks: none, but these need masks: {', '.join(wanting)}")
        return self
