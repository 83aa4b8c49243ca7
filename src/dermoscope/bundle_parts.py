"""What `bundle.json` says of each part of a model. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dermoscope.encoders.inputs import InputContract
from dermoscope.ensemble.ensemble import EnsembleDescription
from dermoscope.model_folder import FileName
from dermoscope.network_parts import MemberPart
from dermoscope.segment.automatic import AutomaticPrompts
from dermoscope.segment.selection import SelectionRules
from dermoscope.taxonomy import malignancy_definition

DESCRIPTION = "bundle.json"
"""The file of a bundle that says all this."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderPart(_Record):
    """The image encoder: `image`, `pool_weights` in; `embedding`, `feature` and `statistics` out."""

    name: str
    graph: FileName
    input: InputContract
    licence: str
    source: str


class DecoderPart(_Record):
    """The mask decoder: `embedding` and prompts in; `masks`, `overlaps` out.

    Attributes:
        prompts: What it is asked with where nobody gives a prompt.
        rules: How one of its masks is chosen.
        confidence_slope: With `confidence_intercept`, the logistic map from the selection score to expected overlap.
    """

    graph: FileName
    prompts: AutomaticPrompts = "saliency boxes"
    rules: SelectionRules
    confidence_slope: float
    confidence_intercept: float


class MaskNetworkPart(_Record):
    """A network that outlines the lesion where nobody gives a prompt: `image` in; `logits` over the square out.

    Attributes:
        name: Of its backbone, on which a U-Net is built.
        licence: Of the backbone's weights; the bundle's own tells that of the whole.
        source: Where the backbone's weights come from.
        confidence_slope: With `confidence_intercept`, the logistic map from its certainty to expected overlap.
    """

    name: str
    graph: FileName
    input: InputContract
    confidence_slope: float
    confidence_intercept: float
    licence: str
    source: str


class Calibration(_Record):
    """How logits become probabilities: softmax of `logits / temperature + bias`.

    Fitted on held-out lesions by maximum likelihood; the bias undoes the class balance that training used.
    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature); Alexandari et al.,
    Maximum Likelihood with Bias-Corrected Calibration, ICML 2020 (bias).
    """

    temperature: Annotated[float, Field(gt=0.0)]
    bias: tuple[float, ...]


class ConformalPart(_Record):
    """Thresholds for prediction sets, fitted by `dermoscope.evaluation.conformal.fit` on held-out lesions.

    Attributes:
        method: `lac` or `aps`.
        coverage: Promised probability that the true class is in the set.
        thresholds: The largest nonconformity score of each class, in order; none where a class is in every set.
        class_conditional: Whether the promise holds for each class by itself.
        images: Calibration images of each class.
    """

    method: Literal["lac", "aps"]
    coverage: Annotated[float, Field(gt=0.0, lt=1.0)]
    thresholds: tuple[Share | None, ...]
    class_conditional: bool
    images: tuple[int, ...]


class Head(_Record):
    """One classifier.

    Attributes:
        output: Name of the logits in its graph.
        classes: What the logits stand for, in order.
        equal_classes: Whether the probabilities speak of a world where all classes are equally frequent.
        frequencies: Share of each class among the images the calibration was fitted on.
        conformal: How its probabilities become prediction sets; without it there are none.
    """

    output: str
    classes: tuple[str, ...]
    calibration: Calibration
    equal_classes: bool
    frequencies: tuple[Share, ...]
    conformal: ConformalPart | None = None

    @model_validator(mode="after")
    def _one_number_a_class(self) -> Self:
        if not len(self.classes) == len(self.calibration.bias) == len(self.frequencies):
            raise ValueError("classes, calibration.bias and frequencies differ in length")
        if (part := self.conformal) and not len(self.classes) == len(part.thresholds) == len(part.images):
            raise ValueError("classes, conformal.thresholds and conformal.images differ in length")
        return self


class OperatingPoint(_Record):
    """A threshold and what it stands for, in words."""

    threshold: Share
    meaning: str


class GatePart(_Record):
    """Is it skin? `statistics` of all maps of the encoder in, logits out.

    Attributes:
        head: Classes `not skin`, `skin`.
        point: From which probability on an image counts as skin.
    """

    graph: FileName
    head: Head
    point: OperatingPoint


def _known_definition(name: str) -> str:
    return malignancy_definition(name).name


class HeadsPart(_Record):
    """Lesion group, diagnosis and malignancy: `feature`, the mean of the embedding, in, one array of logits a head out.

    Attributes:
        group: Without it, group probabilities are those of the diagnoses in the group, added up.
        malignancy: Classes `benign`, `malignant`, under `malignancy_definition`.
    """

    graph: FileName
    group: Head | None = None
    diagnosis: Head
    malignancy: Head
    malignancy_definition: Annotated[str, AfterValidator(_known_definition)]
    malignancy_point: OperatingPoint

    @property
    def malignant_share(self) -> float:
        """Share of malignant images where its risk is calibrated, 0 to 1."""
        return self.malignancy.frequencies[self.malignancy.classes.index("malignant")]


class FamiliarityPart(_Record):
    """Whether the image is like those that the model was calibrated on: `feature` in, `distance` out.

    That is the Mahalanobis distance to a Gaussian around their features, over the root of its dimensions.

    Attributes:
        limit: Above this distance the answer is withheld.
        meaning: What the limit stands for, in words.
    """

    graph: FileName
    limit: Annotated[float, Field(gt=0.0)]
    meaning: str


class AbstentionPart(_Record):
    """When the answer is withheld, beyond what always withholds it; `dermoscope.abstention` has the order.

    Attributes:
        quality: Further quality flags that withhold it.
        least_evidence_inside: The share of the evidence that must lie on the lesion, 0 to 1.
        most_disagreement: How far those who answer may be apart, 0 to 1: the heads about the lesion group, the
            members of a mode about the diagnosis.
        least_certainty: How probable the most probable diagnosis must be, 0 to 1, at the frequencies that the diagnoses
            are calibrated at.
        largest_set: How many diagnoses a prediction set may hold; an empty set withholds the answer as well.
    """

    quality: tuple[str, ...] = ()
    least_evidence_inside: Share | None = None
    most_disagreement: Share | None = None
    least_certainty: Share | None = None
    largest_set: Annotated[int, Field(ge=1)] | None = None


HEADS = "heads"
"""What a fusion calls the heads, where it asks them: their diagnoses."""


def of_mode(name: str) -> str:
    """What every line and number about one mode begins with, such as `mode fast:`."""
    return f"mode {name}:"


def is_of_another_mode(text: str, modes: Iterable[str], mode: str) -> bool:
    """Whether a line, a number's name, or a title such as `mode fast` is about another of the modes.

    Args:
        text: The line, name or title.
        modes: All modes of the bundle.
        mode: The one that is meant.
    """
    return any(f"{text}:".startswith(of_mode(name)) for name in modes if name != mode)


class ModePart(_Record):
    """One way from what the parts of the model say to the answer.

    Everything that is said about a lesion follows from one distribution over diagnoses. Diagnosis, group and prediction
    set are told as if all were equally frequent and cannot contradict each other; the risk is told at `frequencies` and
    flagged long before malignancy is the likelier.

    Attributes:
        meaning: What this way is for, in words.
        networks: Networks with class activation maps that look at the image, once the lesion is outlined.
        fusion: How their answers, and those of `heads` where it names them, become one distribution over diagnoses,
            calibrated at `frequencies`. A network with one view answers with it for every crop, as the heads do.
        frequencies: Share of each diagnosis among the images the calibration was fitted on.
        malignancy_definition: What counts as malignant.
        malignancy_point: From which malignancy risk on an image is flagged.
        points: Operating points by name, such as `melanoma, sensitivity 0.95`.
        conformal: How the distribution, were all diagnoses equally frequent, becomes a prediction set; without it there
            are none.
        abstention: When the answer is withheld, beyond what always withholds it.
    """

    meaning: str
    networks: tuple[MemberPart, ...] = ()
    fusion: EnsembleDescription
    frequencies: tuple[Share, ...]
    malignancy_definition: Annotated[str, AfterValidator(_known_definition)]
    malignancy_point: OperatingPoint
    points: dict[str, OperatingPoint] = Field(default_factory=dict)
    conformal: ConformalPart | None = None
    abstention: AbstentionPart | None = None

    @property
    def malignant_share(self) -> float:
        """Share of malignant images where its risk is calibrated, 0 to 1."""
        malignant = malignancy_definition(self.malignancy_definition).malignant
        shares = zip(self.fusion.classes, self.frequencies, strict=True)
        return sum(share for code, share in shares if code in malignant)

    @property
    def malignancy_points(self) -> dict[str, OperatingPoint]:
        """Those of the points that `malignancy_point` may be chosen from, by name; the others judge other risks."""
        prefix = f"malignancy ({self.malignancy_definition}), "
        return {name: point for name, point in self.points.items() if name.startswith(prefix)}

    @model_validator(mode="after")
    def _fusion_names_those_who_answer(self) -> Self:
        names = [network.name for network in self.networks]
        if sorted([*names, *({HEADS} & set(self.fusion.members))]) != sorted(self.fusion.members):
            raise ValueError(f"fusion.members: {list(self.fusion.members)}, but the networks are {names}")
        views = len(self.fusion.crops)
        if any(len(network.crops.names) not in (1, views) for network in self.networks):
            raise ValueError(f"networks: one has neither one view nor the {views} of the fusion")
        if any("look" in network.crops.names and network.look is None for network in self.networks):
            raise ValueError("networks: the view look needs rules that say where to look (look)")
        return self

    @model_validator(mode="after")
    def _one_number_a_diagnosis(self) -> Self:
        classes = len(self.fusion.classes)
        if len(self.frequencies) != classes or min(self.frequencies) <= 0:
            raise ValueError("frequencies: expected one number above zero a diagnosis")
        if (part := self.conformal) and not classes == len(part.thresholds) == len(part.images):
            raise ValueError("conformal: expected one threshold and one number of images a diagnosis")
        return self


Part = EncoderPart | DecoderPart | MaskNetworkPart | GatePart | FamiliarityPart | HeadsPart


class Metric(_Record):
    """One measured number with its interval and the command that prints it."""

    name: str
    value: float
    low: float
    high: float
    n: int
    data: str
    command: str


class Mistake(_Record):
    """One wrong answer about a held-out image of a public data set, to be looked up there.

    Attributes:
        mode: Which mode gave it.
        image: Id of the image in its data set.
        data: The data set.
        truth: Code of the diagnosis it has.
        said: Code of the diagnosis that was told.
        probability: Of what was told, were all diagnoses equally frequent.
        risk: Of malignancy.
        flagged: Whether that reached the operating point.
    """

    mode: str
    image: str
    data: str
    truth: str
    said: str
    probability: Share
    risk: Share
    flagged: bool


class GraphCheck(_Record):
    """How far an exported graph is from the torch module it came from, on real images.

    Attributes:
        engine: Engine and precision that were compared.
        largest_difference: Largest absolute difference over all outputs.
        scale: Standard deviation of the torch output, to read the difference against.
        images: How many images were compared.
    """

    graph: FileName
    output: str
    engine: str
    largest_difference: float
    scale: float
    images: int
