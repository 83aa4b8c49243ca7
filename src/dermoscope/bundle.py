"""A model bundle: a folder with ONNX graphs and one JSON file that says everything about them.

    bundle.json   schema, classes, input contract, operating points, calibration, provenance, licence, metrics
    *.onnx        the graphs
    README.md     the model card
    SHA256SUMS    one line a file, in the format of `sha256sum`

Loading verifies every sum. Nothing in a bundle is executed, and no path in it leads outside its folder.
"""

from __future__ import annotations

from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dermoscope.bundle_parts import (
    DESCRIPTION,
    HEADS,
    AbstentionPart,
    DecoderPart,
    EncoderPart,
    FamiliarityPart,
    GatePart,
    GraphCheck,
    HeadsPart,
    MaskNetworkPart,
    Metric,
    Mistake,
    ModePart,
    Part,
)
from dermoscope.bundle_shelf import MAIN, MODES, bundle_folder, kept_bundle
from dermoscope.model_folder import SUMS, BundleError, fingerprint_of, read_description, verified_sums

SCHEMA_VERSION = 1
SHIPPED = Path(str(resources.files("dermoscope") / "models" / "default"))
"""Folder of the bundle inside the package."""


class BundleDescription(BaseModel):
    """The contents of `bundle.json`.

    Attributes:
        mask_network: What draws the mask where nobody gives a prompt; without one the decoder is asked.
        familiarity: Whether an image is like those of the calibration; without it none is held to be unlike them.
        abstention: When the answer is withheld, beyond what always withholds it.
        modes: Ways to the answer by name; the first is taken where nobody names one. Without any, the heads answer.
        mistakes: The surest wrong answers that are known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    familiarity: FamiliarityPart | None = None
    heads: HeadsPart
    abstention: AbstentionPart | None = None
    modes: dict[str, ModePart] = Field(default_factory=dict)
    training_data: tuple[str, ...]
    provenance: dict[str, str]
    metrics: tuple[Metric, ...]
    mistakes: tuple[Mistake, ...] = ()
    graph_checks: tuple[GraphCheck, ...]

    @model_validator(mode="after")
    def _modes_know_the_diagnoses_of_the_heads(self) -> Self:
        for name, mode in self.modes.items():
            if HEADS in mode.fusion.members and mode.fusion.classes != self.heads.diagnosis.classes:
                raise ValueError(f"modes.{name}.fusion.classes: not those of heads.diagnosis")
        return self

    @property
    def graphs(self) -> tuple[str, ...]:
        """Names of all graphs, each once."""
        networks = [network.graph for mode in self.modes.values() for network in mode.networks]
        return tuple(dict.fromkeys([*(part.graph for part in self.parts), *networks]))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that has a graph and is there in every mode."""
        every = (self.encoder, self.decoder, self.mask_network, self.gate, self.familiarity, self.heads)
        return tuple(part for part in every if part)


class Bundle:
    """A verified bundle on disk; equal to any other with the same files and the same operating points.

    Example:
        >>> import dermoscope
        >>> dermoscope.Bundle.default().description.heads.malignancy_definition
        'graz'
    """

    def __init__(self, folder: Path, description: BundleDescription, fingerprint: str) -> None:
        self.folder = folder
        self.description = description
        self.fingerprint = fingerprint

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bundle):
            return NotImplemented
        return (self.fingerprint, self.description) == (other.fingerprint, other.description)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @classmethod
    def default(cls) -> Bundle:
        """The bundle that ships inside the package."""
        return cls.load(SHIPPED)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read and verify a bundle.

        Args:
            folder: The bundle's folder; or, where there is none, the name that one is kept under on this machine.

        Raises:
            BundleError: If the folder, a file or a sum is missing or wrong, or the schema is unknown.
        """
        folder = bundle_folder(folder)
        sums = verified_sums(folder, DESCRIPTION)
        description = read_description(folder / DESCRIPTION, BundleDescription)
        for graph in description.graphs:
            if graph not in sums:
                raise BundleError(f"{folder / SUMS} does not list the graph {graph}")
        return cls(folder, description, fingerprint_of(sums))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str = MAIN,
        fingerprint: str | None = None,
        endpoint: str | None = None,
    ) -> Bundle:
        """A bundle in a folder or, where there is none of that name, on the model hub.

        What was fetched once is kept, and taken without a call to the network after that; `load` takes its name, too.

        Args:
            name: A folder, a repository of the hub like `owner/name`, or another name that one is kept under.
            revision: Branch, tag or commit of the repository.
            fingerprint: The fingerprint that the bundle must have, so that nobody can give another.
            endpoint: Address of the hub; by default the one `huggingface_hub` is set to.

        Raises:
            BundleError: If it cannot be fetched or read, or is another.

        Example:
            >>> dermoscope.Bundle.from_pretrained("someone/dermoscope-model")  # doctest: +SKIP
        """
        folder = Path(name)
        if not folder.is_dir() and not (revision == MAIN and kept_bundle(folder.as_posix())):
            from dermoscope.bundle_hub import fetch_bundle

            folder = fetch_bundle(str(name), revision=revision, endpoint=endpoint)
        bundle = cls.load(folder)
        if fingerprint is not None and bundle.fingerprint != fingerprint:
            raise BundleError(f"{folder} has the fingerprint {bundle.fingerprint}, not {fingerprint}")
        return bundle

    @property
    def name(self) -> str:
        """Name and version in one."""
        return f"{self.description.name} {self.description.version}"

    def mode(self, name: str | None = None) -> tuple[str, ModePart | None]:
        """One of its modes with its name; without any, an empty name and none.

        Args:
            name: Which; the first if left out.

        Raises:
            BundleError: If it has no mode of that name.
        """
        modes = self.description.modes
        chosen = next(iter(modes), "") if name is None else name
        if chosen not in modes and (modes or name):
            known = ", ".join(modes) or "none, its heads answer"
            raise BundleError(f"{self.folder} has no mode {chosen!r}; it has: {known}")
        return chosen, modes.get(chosen)

    def at_operating_point(self, name: str, mode: str | None = None) -> Bundle:
        """The same bundle, where one of its modes flags malignancy from another of its operating points on.

        Args:
            name: Of the operating point, such as `malignancy (graz), sensitivity 0.90`.
            mode: Which mode; the first if left out.

        Raises:
            BundleError: If it has no such mode, or the mode no such operating point.
        """
        chosen, part = self.mode(mode)
        points = part.malignancy_points if part else {}
        if part is None or name not in points:
            place = f"the mode {chosen!r} of {self.folder}" if part else str(self.folder)
            known = "; ".join(points) or "none"
            raise BundleError(f"{place} has no operating point {name!r} that could flag malignancy; it has: {known}")
        modes = self.description.modes | {chosen: part.model_copy(update={"malignancy_point": points[name]})}
        return Bundle(self.folder, self.description.model_copy(update={"modes": modes}), self.fingerprint)

    def operating_point(self, mode: str | None = None) -> str | None:
        """Name of the operating point from which on one of its modes flags malignancy; none if it has no name.

        Args:
            mode: Which mode; the first if left out.

        Raises:
            BundleError: If it has no such mode.
        """
        _, part = self.mode(mode)
        named = part.malignancy_points.items() if part else ()
        return next((name for name, point in named if part and point == part.malignancy_point), None)

    @cached_property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    def describe(self, mode: str | None = None) -> dict[str, Any]:
        """The description as plain JSON types, with fingerprint, size and what holds for the mode that answers.

        Beside the fields of `bundle.json`: `fingerprint`; `size_bytes`; `malignant_share`, of malignant images where
        the risk is calibrated; and `mode`, if one answers.

        Args:
            mode: Its name; the first if left out.

        Raises:
            BundleError: If it has no mode of that name.
        """
        name, part = self.mode(mode or None)
        answers = part or self.description.heads
        return {
            **self.description.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "size_bytes": self.size_bytes,
            "malignant_share": answers.malignant_share,
            **({"mode": name} if name else {}),
        }

    def graph_path(self, part: Part) -> Path:
        """Where the graph of a part lies."""
        return self.folder / part.graph


def named_bundle(name: str | Path | None, mode: str | None = None) -> tuple[Bundle, str | None]:
    """The bundle that is meant, and which of its modes; the first mode if none.

    Args:
        name: A folder; a name that a bundle is kept under on this machine; or `fast` or `best`, that mode of the bundle
            inside the package, which is meant as well if nothing is named. These two words always mean the modes,
            whatever lies in the current folder; `./fast` and a `Path` that is there mean a folder of that name.
        mode: Which mode.

    Raises:
        BundleError: If the bundle is missing or damaged, or two modes are named.
    """
    if name is None or not str(name):
        return Bundle.default(), mode
    if str(name) not in MODES or (isinstance(name, Path) and name.is_dir()):
        return Bundle.load(Path(name)), mode
    if mode not in (None, str(name)):
        raise BundleError(
            f"{name} is a mode of the bundle inside the package, and cannot have the mode {mode}; name one of them "
            f"alone, or ./{name} for a folder"
        )
    return Bundle.default(), str(name)
