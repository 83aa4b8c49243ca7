"""What a recipe may say. Torch-free."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from dermoscope import taxonomy
from dermoscope.images.symmetries import VIEWS
from dermoscope.training.tasks import TASKS, Task

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NonEmpty = Annotated[tuple[str, ...], Field(min_length=1)]

_NUMBERED_VIEW = re.compile(r"[a-z]+(-[a-z]+)*-\d+")


class Part(BaseModel):
    """A part of a recipe: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskPart(Part):
    """What is learnt.

    Attributes:
        question: Name of the task.
        definition: Name of the malignancy definition; for the question `malignancy` alone.
    """

    question: Literal[
        "gate", "group", "diagnosis", "malignancy", "cancer", "isic2017", "isic2017-melanoma", "isic2017-keratosis"
    ]
    definition: str = ""

    @model_validator(mode="after")
    def _definition_where_it_is_needed(self) -> Self:
        if (self.question == "malignancy") != bool(self.definition):
            raise ValueError("definition: name one for the question malignancy, and for no other question")
        if self.definition:
            taxonomy.malignancy_definition(self.definition)
        return self

    @property
    def task(self) -> Task:
        """The question with its classes."""
        known = TASKS[self.question]
        return Task(known.name, known.classes, definition=self.definition, ranked=known.ranked)


class InputPart(Part):
    """What is read of each image.

    Attributes:
        columns: Columns of the feature store, joined in this order.
        standardise: Whether mean and deviation of the training features are taken off.
    """

    columns: NonEmpty = ("mean",)
    standardise: bool = True


class MLPPart(Part):
    """Fully connected layers.

    Attributes:
        kind: `mlp`.
        hidden: Widths of the hidden layers.
        dropout: Probability of dropping a hidden unit in training.
    """

    kind: Literal["mlp"]
    hidden: tuple[PositiveInt, ...] = (512, 256)
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3


class LinearPart(Part):
    """One linear layer, trained like the others."""

    kind: Literal["linear"]


class LogisticPart(Part):
    """Logistic regression by scikit-learn; the recipe's loss, optimiser, schedule, mixing and stopping play no part.

    Attributes:
        kind: `logistic`.
        strengths: Inverse strengths of the penalty to choose from, on validation images.
        balanced: Whether every class weighs alike.
    """

    kind: Literal["logistic"]
    strengths: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.001, 0.01, 0.1, 1.0)
    balanced: bool = True


class KNNPart(Part):
    """Nearest neighbours by scikit-learn; the recipe's loss and all that follows it play no part.

    Attributes:
        kind: `knn`.
        neighbours: Numbers of neighbours to choose from, on validation images.
    """

    kind: Literal["knn"]
    neighbours: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 5, 15, 45)


class MahalanobisPart(Part):
    """A gate that knows the images of skin alone, as one Gaussian; the loss and all that follows it play no part."""

    kind: Literal["mahalanobis"]


class NeighbourDistancePart(Part):
    """A gate by the distance from images of skin; the loss and all that follows it play no part.

    Attributes:
        kind: `neighbour-distance`.
        neighbours: Which neighbour the distance is measured from, to choose from on validation images.
    """

    kind: Literal["neighbour-distance"]
    neighbours: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 10, 50)


HeadPart = Annotated[
    MLPPart | LinearPart | LogisticPart | KNNPart | MahalanobisPart | NeighbourDistancePart,
    Field(discriminator="kind"),
]

Weights = Literal["equal", "inverse-frequency"] | dict[str, PositiveFloat]
"""Class weights: by name of the class, or `N / (K n_k)` of the sampled training images."""


class CrossEntropyPart(Part):
    """Cross-entropy with class weights."""

    kind: Literal["cross-entropy"]
    weights: Weights = "equal"


class FocalPart(Part):
    """Focal loss.

    Attributes:
        kind: `focal`.
        weights: Class weights.
        gamma: Focusing parameter.
        pt_from_weighted: The published form; see `dermoscope.losses.focal`.
    """

    kind: Literal["focal"]
    weights: Weights = "equal"
    gamma: Annotated[float, Field(ge=0.0)] = 2.0
    pt_from_weighted: bool = False


class LDAMPart(Part):
    """Margins that grow as classes get rare.

    Attributes:
        kind: `ldam`.
        weights: Class weights.
        largest_margin: Margin of the rarest class.
        scale: Of the logits.
    """

    kind: Literal["ldam"]
    weights: Weights = "equal"
    largest_margin: PositiveFloat = 0.5
    scale: PositiveFloat = 30.0


class LMFPart(Part):
    """LDAM and focal loss together.

    Attributes:
        kind: `lmf`.
        weights: Class weights of both.
        alpha: Share of LDAM.
        beta: Share of the focal loss.
        gamma: Focusing parameter.
        largest_margin: Margin of the rarest class.
        scale: Of the logits, in LDAM.
    """

    kind: Literal["lmf"]
    weights: Weights = "equal"
    alpha: Annotated[float, Field(ge=0.0)] = 0.5
    beta: Annotated[float, Field(ge=0.0)] = 0.5
    gamma: Annotated[float, Field(ge=0.0)] = 2.0
    largest_margin: PositiveFloat = 0.5
    scale: PositiveFloat = 30.0


LossPart = Annotated[CrossEntropyPart | FocalPart | LDAMPart | LMFPart, Field(discriminator="kind")]


class _Views(Part):
    views: NonEmpty = ("original",)

    @model_validator(mode="after")
    def _views_are_known(self) -> Self:
        for view in self.views:
            if view not in VIEWS and not _NUMBERED_VIEW.fullmatch(view):
                raise ValueError(f"views: unknown view {view!r}; known: {', '.join(VIEWS)}")
        if len(set(self.views)) < len(self.views):
            raise ValueError("views: a view stands there twice")
        return self


class BalancedPart(_Views):
    """As many samples of every class, drawn once, at random among images and views; a small class gives all it has.

    Attributes:
        kind: `balanced`.
        views: Which copies of an image may be drawn.
        per_class: Most samples of a class.
    """

    kind: Literal["balanced"]
    per_class: PositiveInt


class NaturalPart(_Views):
    """Every image in every view, once an epoch: with one view the original distribution, with all of them all copies.

    Attributes:
        kind: `natural`.
        views: Which copies of each image are used.
    """

    kind: Literal["natural"]


class WeightedPart(_Views):
    """As many draws an epoch as there are samples, with replacement, rare classes more often.

    Attributes:
        kind: `weighted`.
        views: Which copies of an image may be drawn.
        balance: How far the draw is moved from the natural frequencies (0) to equal ones (1).
    """

    kind: Literal["weighted"]
    balance: Share = 1.0


TrainSample = Annotated[BalancedPart | NaturalPart | WeightedPart, Field(discriminator="kind")]
ValidationSample = Annotated[BalancedPart | NaturalPart, Field(discriminator="kind")]


class SamplingPart(Part):
    """Which images and copies take part.

    Attributes:
        train: What is learnt from.
        validation: What the epoch is chosen on. The numbers at the end are always of every validation image, as it is.
    """

    train: TrainSample
    validation: ValidationSample = NaturalPart(kind="natural")


class OptimiserPart(Part):
    """Steps.

    Attributes:
        kind: `adam` adds weight decay to the gradient, `adamw` takes it off the weights.
        learning_rate: Its peak.
        weight_decay: Its strength.
        batch_size: Samples a step.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    batch_size: PositiveInt = 256


class ConstantPart(Part):
    """One learning rate throughout."""

    kind: Literal["constant"]


class OneCyclePart(Part):
    """Up and down once, a step at a time, over all epochs that could be.

    Attributes:
        kind: `one-cycle`.
        pct_start: Share of the steps on the way up.
        div: The first rate is the peak over this.
        final_div: The last rate is the first over this.
    """

    kind: Literal["one-cycle"]
    pct_start: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    div: PositiveFloat = 25.0
    final_div: PositiveFloat = 1000.0


class PlateauPart(Part):
    """Smaller steps where the validation loss no longer falls.

    Attributes:
        kind: `plateau`.
        factor: What the rate is multiplied with.
        patience: Epochs without a smaller loss that are borne.
        smallest: The rate is not made smaller than this.
    """

    kind: Literal["plateau"]
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    patience: NonNegativeInt = 3
    smallest: Annotated[float, Field(ge=0.0)] = 0.0


SchedulePart = Annotated[ConstantPart | OneCyclePart | PlateauPart, Field(discriminator="kind")]


class MixUpPart(Part):
    """Sums of two features.

    Attributes:
        probability: Of a batch to be mixed so.
        alpha: Of the Beta distribution of the share of the first.
        first_is_larger: Whether that share is at least a half.
    """

    probability: Share
    alpha: PositiveFloat
    first_is_larger: bool = False


class CutMixPart(Part):
    """Features of which a run of dimensions comes from another.

    Attributes:
        probability: Of a batch to be mixed so.
        alpha: Of the Beta distribution of the share of the first.
    """

    probability: Share
    alpha: PositiveFloat


class MixingPart(Part):
    """New features from two; a batch is mixed in one way at most.

    Attributes:
        after_epoch: The first epochs, this many, are not mixed.
        mixup: Sums.
        cutmix: Exchanged dimensions.
    """

    after_epoch: NonNegativeInt = 0
    mixup: MixUpPart | None = None
    cutmix: CutMixPart | None = None

    @model_validator(mode="after")
    def _one_way_a_batch(self) -> Self:
        if sum(part.probability for part in (self.mixup, self.cutmix) if part) > 1.0:
            raise ValueError("the probabilities of mixup and cutmix sum to more than 1")
        return self


class StoppingPart(Part):
    """When to stop, and what to keep.

    Attributes:
        epochs: At most.
        patience: Epochs without a better one that are borne; none never stops early.
        select: What makes an epoch the better one, on the validation sample; among equals the first is kept.
    """

    epochs: PositiveInt
    patience: PositiveInt | None = None
    select: Literal["loss", "accuracy", "balanced accuracy"] = "balanced accuracy"


class PublishedPart(Part):
    """What the authors of a recipe measured, to set beside one's own numbers.

    Attributes:
        metrics: Named as in `metrics.json` of an evaluation, such as `accuracy`, 0 to 1.
        measured_on: On what: data, split, encoder.
    """

    metrics: Annotated[dict[str, Share], Field(min_length=1)]
    measured_on: Annotated[str, Field(min_length=1)]


class Recipe(Part):
    """How one head is trained.

    Attributes:
        name: Name of the recipe.
        description: What it is, for a person.
        source: Where its settings come from.
        task: What is learnt.
        input: What is read of each image.
        head: The classifier.
        loss: What is made small.
        sampling: Which images and copies take part.
        optimiser: Steps.
        schedule: Their length.
        mixing: New features from two.
        stopping: When to stop, and what to keep.
        seeds: Of initialisation, order, dropout and mixing, one for each head of an average; the first one draws the
            sample.
        precision: Of the products of matrices; sums and losses stay in `float32`.
        calibration: Temperature and bias fitted on the validation images, as they are: for the frequencies there, or
            for a world of equally frequent classes.
        shuffled_labels: Permute the labels that are learnt from and those that choose the epoch, as a negative control.
        published: What its authors measured; none where they published nothing for these settings.
        variants: Named changes, as `--set` makes them: dotted key to value.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    source: str = ""
    task: TaskPart
    input: InputPart = InputPart()
    head: HeadPart
    loss: LossPart = CrossEntropyPart(kind="cross-entropy")
    sampling: SamplingPart
    optimiser: OptimiserPart = OptimiserPart()
    schedule: SchedulePart = ConstantPart(kind="constant")
    mixing: MixingPart = MixingPart()
    stopping: StoppingPart
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (42,)
    precision: Literal["float32", "bfloat16"] = "float32"
    calibration: Literal["none", "as they are", "equal classes"] = "none"
    shuffled_labels: bool = False
    published: PublishedPart | None = None
    variants: dict[str, dict[str, JsonValue]] = {}

    @model_validator(mode="after")
    def _distance_is_for_the_gate(self) -> Self:
        if isinstance(self.head, MahalanobisPart | NeighbourDistancePart) and self.task.question != "gate":
            raise ValueError(f"head.kind: {self.head.kind} answers the question gate alone")
        return self

    @model_validator(mode="after")
    def _weights_name_every_class(self) -> Self:
        classes = self.task.task.classes
        if isinstance(self.loss.weights, dict) and set(self.loss.weights) != set(classes):
            raise ValueError(f"loss.weights: give one for each class, {', '.join(classes)}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: a seed stands there twice")
        return self
