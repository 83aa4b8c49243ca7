"""Which members look at which crops, how their probabilities become one distribution, and the file that says so.

Torch-free, and no scikit-learn either: an ensemble is kept as numbers in JSON and answers with NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dermoscope.ensemble.combination import Stacking, dempster_shafer, geometric_mean, mean
from dermoscope.ensemble.masses import accuracy_weighted, discounted, plain
from dermoscope.ensemble.probabilities import log_probabilities, unusable_rows
from dermoscope.heads.calibration import calibrated_probabilities

_LARGEST_FILE = 4 * 2**20

Rule = Literal["dempster-shafer", "mean", "geometric mean", "stacking"]
"""How the first step, or the only one, combines answers; see `dermoscope.ensemble.combination`."""

CropRule = Literal["dempster-shafer", "mean", "geometric mean"]
"""How the second step combines crops; nothing is learnt there."""

MassesName = Literal["plain", "accuracy weighted", "discounted"]
"""What Dempster's rule makes of probabilities first; see `dermoscope.ensemble.masses`."""

_POOLS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = MappingProxyType(
    {
        "dempster-shafer": lambda probabilities: dempster_shafer(plain(probabilities)),
        "mean": mean,
        "geometric mean": geometric_mean,
    }
)
_WEIGHTED = MappingProxyType({"accuracy weighted": accuracy_weighted, "discounted": discounted})


class EnsembleError(ValueError):
    """An ensemble cannot be read, or not be used on these probabilities; the message names the file or the member."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if "" in names or len(set(names)) < len(names):
        raise ValueError("a name is empty or comes twice")
    return names


Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LogCalibration(_Record):
    """How probabilities are calibrated: softmax of `log(probabilities) / temperature + bias`.

    Fitted on validation images with `fit_calibration` of `dermoscope.heads.calibration`, the logarithms as logits.

    Attributes:
        temperature: Above one softens.
        bias: One a class.
    """

    temperature: Annotated[float, Field(gt=0.0)]
    bias: tuple[float, ...]

    def apply(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrated probabilities `[..., K]` of probabilities `[..., K]`; zero counts as 1e-12."""
        return calibrated_probabilities(log_probabilities(probabilities), self.temperature, np.array(self.bias))


class EnsembleDescription(_Record):
    """An ensemble, and the contents of its file.

    Attributes:
        schema_version: Version of this record.
        classes: What the probabilities stand for, in order.
        members: Names of the M classifiers, in order.
        crops: Names of the C views of an image that each member answers on, in order; one name where there is one view.
        across: `together` makes one step over all M × C answers; `members then crops` combines the members on each crop
            and then the crops.
        rule: The rule of the first step, or of the only one.
        crop_rule: The rule over crops; none where there is no second step.
        masses: What the rule `dempster-shafer` of the first step makes of probabilities; see the functions of
            `dermoscope.ensemble.masses`.
        accuracies: Share of validation images that each member got right; none where the masses are plain.
        stacking: The fitted regression of the rule `stacking`. Where members and crops are combined together, its
            members are these M × C answers, the crops of the first member first.
        member_calibrations: How the answers of each member are calibrated before they are combined; empty where they
            are taken as they are.
        calibration: How the result is calibrated; none where it is given as it is.
    """

    schema_version: Literal[1]
    classes: Annotated[Names, Field(min_length=2)]
    members: Names
    crops: Names
    across: Literal["together", "members then crops"]
    rule: Rule
    crop_rule: CropRule | None = None
    masses: MassesName = "plain"
    accuracies: tuple[Share, ...] = ()
    stacking: Stacking | None = None
    member_calibrations: tuple[LogCalibration, ...] = ()
    calibration: LogCalibration | None = None

    @property
    def inputs(self) -> int:
        """How many answers the first step combines at once."""
        return len(self.members) * (len(self.crops) if self.across == "together" else 1)

    @model_validator(mode="after")
    def _the_second_step_has_a_rule(self) -> Self:
        if (self.crop_rule is None) != (self.across == "together"):
            raise ValueError("crop_rule belongs to 'members then crops', and only there")
        return self

    @model_validator(mode="after")
    def _masses_have_their_accuracies(self) -> Self:
        weighted = self.masses != "plain"
        if weighted and self.rule != "dempster-shafer":
            raise ValueError(f"masses: the rule {self.rule!r} knows no masses that are {self.masses}")
        if len(self.accuracies) != (len(self.members) if weighted else 0):
            raise ValueError("accuracies: expected one a member where masses are weighted or discounted, else none")
        if self.masses == "accuracy weighted" and len(self.classes) != 2:
            raise ValueError("masses: accuracy weighted is defined for two classes; discounted for any number")
        return self

    @model_validator(mode="after")
    def _stacking_fits(self) -> Self:
        if (self.stacking is not None) != (self.rule == "stacking"):
            raise ValueError("stacking belongs to the rule 'stacking', and only there")
        if self.stacking is not None:
            fitted = self.stacking.members, len(self.stacking.intercepts)
            if fitted != (self.inputs, len(self.classes)):
                raise ValueError(
                    f"stacking: fitted on {fitted[0]} members and {fitted[1]} classes, "
                    f"but here are {self.inputs} and {len(self.classes)}"
                )
        return self

    @model_validator(mode="after")
    def _calibrations_fit(self) -> Self:
        if len(self.member_calibrations) not in (0, len(self.members)):
            raise ValueError("member_calibrations: expected one a member, or none at all")
        every = (*self.member_calibrations, *([self.calibration] if self.calibration else ()))
        if any(len(each.bias) != len(self.classes) for each in every):
            raise ValueError("calibration: a bias has not one number a class")
        return self


@dataclass(frozen=True)
class Ensemble:
    """Makes one distribution over classes of what several members say about several crops.

    The two published ensembles of A. Cartaya and M. Rivas, University of Girona, 2023, are the rule `dempster-shafer`
    with plain masses: for two classes across members and crops `together`, for three `members then crops` with the
    crop rule `mean`.

    Attributes:
        description: Members, crops, rules and fitted numbers.

    Example:
        >>> two = EnsembleDescription(
        ...     schema_version=1, classes=("nevus", "other"), members=("b3", "b4"), crops=("full",), across="together",
        ...     rule="dempster-shafer",
        ... )
        >>> Ensemble(two).combine(np.array([[[[0.4, 0.6]]], [[[0.2, 0.8]]]])).round(3).tolist()
        [[0.143, 0.857]]
    """

    description: EnsembleDescription

    def combine(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """One distribution an image.

        Args:
            probabilities: `[M, C, N, K]`: what each member says about each crop of each image, each row summing to one,
                members, crops and classes in the order of the description.

        Returns:
            `[N, K]`.

        Raises:
            EnsembleError: If the shape is another, or what a member says about an image is missing (NaN) or no
                distribution.
        """
        given = np.asarray(probabilities, np.float64)
        self._refuse_unusable(given)
        description = self.description
        if description.member_calibrations:
            pairs = zip(description.member_calibrations, given, strict=True)
            given = np.stack([calibration.apply(of_member) for calibration, of_member in pairs])
        if description.crop_rule is None:
            combined = self._first_step(given.reshape(-1, *given.shape[2:]))
        else:
            combined = _POOLS[description.crop_rule](self._first_step(given))
        return description.calibration.apply(combined) if description.calibration else combined

    def to_json(self) -> str:
        """The description as text that `load` reads, with the very same numbers."""
        return f"{self.description.model_dump_json(indent=1)}\n"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an ensemble back and check it.

        Args:
            path: A file with the text of `to_json`.

        Raises:
            EnsembleError: If the file is missing, too large, of another schema, or its parts do not belong together.
        """
        try:
            with path.open("rb") as stream:
                content = stream.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise EnsembleError(f"{path} cannot be read: {error.strerror}") from None
        if len(content) > _LARGEST_FILE:
            raise EnsembleError(f"{path} is larger than {_LARGEST_FILE} bytes")
        try:
            return cls(EnsembleDescription.model_validate_json(content))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            where = f"{path}: {place}" if place else f"{path}"
            raise EnsembleError(f"{where}: {what} ({error.error_count()} problems in all)") from None

    def _first_step(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the first rule makes of `[inputs, ..., K]`."""
        description = self.description
        if description.stacking is not None:
            return description.stacking.predict_proba(probabilities)
        if description.masses != "plain":
            # Every crop of a member weighs as much as the member does.
            accuracies = np.repeat(description.accuracies, description.inputs // len(description.members))
            return dempster_shafer(_WEIGHTED[description.masses](probabilities, accuracies.tolist()))
        return _POOLS[description.rule](probabilities)

    def _refuse_unusable(self, probabilities: NDArray[np.float64]) -> None:
        members, crops, classes = self.description.members, self.description.crops, self.description.classes
        shape = probabilities.shape
        if len(shape) != 4 or (*shape[:2], shape[3]) != (len(members), len(crops), len(classes)):
            expected = f"[{len(members)} members, {len(crops)} crops, images, {len(classes)} classes]"
            raise EnsembleError(f"probabilities: expected {expected}, got the shape {shape}")
        wrong = np.argwhere(unusable_rows(probabilities))
        if len(wrong):
            member, crop, image = wrong[0].tolist()
            row = probabilities[member, crop, image]
            found = "no probabilities (NaN)" if np.isnan(row).any() else f"{row.tolist()}, which is no distribution,"
            raise EnsembleError(
                f"member {members[member]!r} has {found} for crop {crops[crop]!r} of the image in row {image} "
                f"({len(wrong)} such answers in all); let it answer on every image, or leave the image out"
            )
