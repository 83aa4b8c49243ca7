"""A model bundle: a folder with ONNX graphs and one JSON file that says everything about them.

    bundle.json   schema, classes, input contract, operating points, calibration, provenance, licence, metrics
    *.onnx        the graphs
    README.md     the model card
    SHA256SUMS    one line a file, in the format of `sha256sum`

Loading verifies every sum. Nothing in a bundle is executed, and no path in it leads outside its folder.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dermoscope.encoders.inputs import InputContract
from dermoscope.files import sha256_of
from dermoscope.segment.automatic import AutomaticPrompts
from dermoscope.segment.selection import SelectionRules
from dermoscope.taxonomy import malignancy_definition

SCHEMA_VERSION = 1
DESCRIPTION = "bundle.json"
SUMS = "SHA256SUMS"
_LARGEST_DESCRIPTION = 4 * 2**20


class BundleError(ValueError):
    """A bundle is missing, damaged, or of an unknown kind; the message names the file."""


def _plain_file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(f"{name!r} is not a plain file name")
    return name


FileName = Annotated[str, AfterValidator(_plain_file_name)]
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


class AbstentionPart(_Record):
    """When the answer is withheld, beyond what always withholds it; `dermoscope.abstention` has the order.

    Attributes:
        quality: Further quality flags that withhold it.
        least_evidence_inside: The share of the evidence that must lie on the lesion, 0 to 1.
        most_disagreement: How far the heads may be apart about the lesion group, 0 to 1.
        largest_set: How many diagnoses a prediction set may hold; an empty set withholds the answer as well.
    """

    quality: tuple[str, ...] = ()
    least_evidence_inside: Share | None = None
    most_disagreement: Share | None = None
    largest_set: Annotated[int, Field(ge=1)] | None = None


Part = EncoderPart | DecoderPart | MaskNetworkPart | GatePart | HeadsPart


class Metric(_Record):
    """One measured number with its interval and the command that prints it."""

    name: str
    value: float
    low: float
    high: float
    n: int
    data: str
    command: str


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


class BundleDescription(_Record):
    """The contents of `bundle.json`.

    Attributes:
        mask_network: What draws the mask where nobody gives a prompt; without one the decoder is asked.
        abstention: When the answer is withheld, beyond what always withholds it.
    """

    schema_version: Literal[1]
    name: str
    version: str
    created: str
    intended_use: str
    licence: str
    encoder: EncoderPart
    decoder: DecoderPart
    mask_network: MaskNetworkPart | None = None
    gate: GatePart
    heads: HeadsPart
    abstention: AbstentionPart | None = None
    training_data: tuple[str, ...]
    provenance: dict[str, str]
    metrics: tuple[Metric, ...]
    graph_checks: tuple[GraphCheck, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that has a graph."""
        network = (self.mask_network,) if self.mask_network else ()
        return (self.encoder, self.decoder, *network, self.gate, self.heads)


class Bundle:
    """A verified bundle on disk.

    Example:
        >>> import dermoscope
        >>> dermoscope.Bundle.default().description.heads.malignancy_definition
        'graz'
    """

    def __init__(self, folder: Path, description: BundleDescription, fingerprint: str) -> None:
        self.folder = folder
        self.description = description
        self.fingerprint = fingerprint

    @classmethod
    def default(cls) -> Bundle:
        """The bundle that ships inside the package."""
        return cls.load(Path(str(resources.files("dermoscope") / "models" / "default")))

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read and verify a bundle.

        Args:
            folder: The bundle's folder.

        Raises:
            BundleError: If the folder, a file or a sum is missing or wrong, or the schema is unknown.
        """
        sums = verified_sums(folder, DESCRIPTION)
        description = _read_description(folder / DESCRIPTION)
        for part in description.parts:
            if part.graph not in sums:
                raise BundleError(f"{folder / SUMS} does not list the graph {part.graph}")
        return cls(folder, description, fingerprint_of(sums))

    @property
    def name(self) -> str:
        """Name and version in one."""
        return f"{self.description.name} {self.description.version}"

    @cached_property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    def describe(self) -> dict[str, Any]:
        """The description as plain JSON types, with fingerprint and size added."""
        return {
            **self.description.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "size_bytes": self.size_bytes,
        }

    def graph_path(self, part: Part) -> Path:
        """Where the graph of a part lies."""
        return self.folder / part.graph


def verified_sums(folder: Path, description: str) -> dict[str, str]:
    """SHA-256 of every file that `SHA256SUMS` lists, by name, after each of them was compared with its own.

    Args:
        folder: Of a bundle, or of another model that is kept like one.
        description: Name of the file that says what it is; it must be listed.

    Raises:
        BundleError: If the folder, a file or a sum is missing or wrong.
    """
    sums = _read_sums(folder)
    for name, expected in sums.items():
        if sha256_of(_existing(folder / name)) != expected:
            raise BundleError(f"{folder / name} does not match its sum in {SUMS}; copy the bundle again")
    if description not in sums:
        raise BundleError(f"{folder / SUMS} does not list {description}")
    return sums


def fingerprint_of(sums: dict[str, str]) -> str:
    """Sixteen hexadecimal digits that change whenever any file of the bundle does."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` for every other file in the folder."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    (folder / SUMS).write_text("".join(f"{sha256_of(folder / name)}  {name}\n" for name in names))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BundleError(f"{path} is missing from the bundle; copy the bundle again")
    return path


def _read_sums(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a bundle folder")
    try:
        lines = _existing(folder / SUMS).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise BundleError(f"{folder / SUMS} is no text; copy the bundle again") from None
    sums = {}
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line)
        try:
            if match is None:
                raise ValueError("expected a SHA-256 sum and a file name")
            sums[_plain_file_name(match[2])] = match[1]
        except ValueError as error:
            raise BundleError(f"{folder / SUMS}, line {number}: {error}") from None
    return sums


def _read_description(path: Path) -> BundleDescription:
    if path.stat().st_size > _LARGEST_DESCRIPTION:
        raise BundleError(f"{path} is larger than {_LARGEST_DESCRIPTION} bytes")
    try:
        return BundleDescription.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']} ({error.error_count()} problems in all)") from None
