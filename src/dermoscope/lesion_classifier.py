"""Networks with class activation maps and their ensembles, as `dermoscope export` writes them, run without torch.

classifier.json   classes, members, crops, how they are combined, licences, training data
<member>.onnx     one graph a member: `image` in; `logits`, `cams` and `feature` out
SHA256SUMS        one line a file; loading verifies every sum
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from dermoscope.bundle_parts import GraphCheck
from dermoscope.camnet.second_look import SecondLook
from dermoscope.engine import EngineName, Precision
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.member_networks import MemberNetworks, SeenViews
from dermoscope.model_folder import SUMS, BundleError, fingerprint_of, read_description, verified_sums
from dermoscope.network_parts import FirstLookPart, MemberPart

DESCRIPTION = "classifier.json"


class ClassifierDescription(BaseModel):
    """The contents of `classifier.json`.

    Attributes:
        schema_version: Of this file.
        name: Of the classifier.
        version: Of `dermoscope`.
        task: Name of the question.
        definition: Name of the malignancy definition, where the question has one.
        members: The networks, in the order of the ensemble.
        ensemble: How their answers become one.
        first_look: Who says where members with the view `look` look; none where no member has it.
        training_data: What was learnt from; what those images allow holds beside the licence of each member.
        graph_checks: How far each graph is from its torch module.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    name: str
    version: str
    task: str
    definition: str = ""
    members: tuple[MemberPart, ...]
    ensemble: EnsembleDescription
    first_look: FirstLookPart | None = None
    training_data: tuple[str, ...] = ()
    graph_checks: tuple[GraphCheck, ...] = ()

    @model_validator(mode="after")
    def _no_member_finds_its_own_look(self) -> ClassifierDescription:
        if any(member.look for member in self.members):
            raise ValueError("look: is for the networks of a bundle's mode; here first_look says where to look")
        return self

    @model_validator(mode="after")
    def _members_are_those_of_the_ensemble(self) -> ClassifierDescription:
        if tuple(member.name for member in self.members) != self.ensemble.members:
            raise ValueError("members: not those of the ensemble, in its order")
        names = {member.crops.names for member in self.members}
        # Where some look again, each has a view of its own, and the ensemble knows only how many there are.
        if names != {self.ensemble.crops} and (
            self.first_look is None or {len(own) for own in names} != {len(self.ensemble.crops)}
        ):
            raise ValueError("members: a member has other crops than the ensemble")
        return self

    @model_validator(mode="after")
    def _who_looks_again_is_told_where(self) -> ClassifierDescription:
        again = any("look" in member.crops.names for member in self.members)
        if again != (self.first_look is not None):
            raise ValueError("first_look: belongs to members with the view look, and only there")
        if self.first_look and self.first_look.member.crops.names not in (("whole",), ("full",)):
            raise ValueError("first_look: its network must have one view, whole or full")
        if self.first_look and self.first_look.looks > 2 and [m.crops.names for m in self.members] != [("look",)]:
            raise ValueError("first_look.looks: a third look is for one member with the view look and no other")
        return self


@dataclass(frozen=True, eq=False)
class Look:
    """What a classifier says of an image.

    Attributes:
        classes: What the probabilities stand for, in order.
        probabilities: `[K]`, they sum to one.
        members: `[M, C, K]`, what each member says of each crop.
        maps: Class activation maps `[C, K, h, w]` of each member, signed; over the square of the crop.
        crops: The squares `[C, side, side, 3]` of each member, as it saw them.
        again: Where members with the view `look` looked last, and why that is the whole view, if it is; none without
            such members.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    members: NDArray[np.float64]
    maps: tuple[NDArray[np.float32], ...]
    crops: tuple[NDArray[np.uint8], ...]
    again: SecondLook | None = None


class LesionClassifier:
    """A verified folder with its graphs compiled. Safe to use from several threads.

    Args:
        folder: As `dermoscope export` writes it.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        BundleError: If a file or a sum is missing or wrong, or the schema is unknown.
        EngineError: If no engine can run a graph.

    Example:
        >>> classifier = LesionClassifier(Path("my-classifier"))  # doctest: +SKIP
        >>> classifier.look(rgb, mask).probabilities  # doctest: +SKIP
        array([0.93, 0.07])
    """

    def __init__(
        self,
        folder: Path,
        *,
        engine: EngineName | None = None,
        precision: Precision = "auto",
        threads: int = 0,
        streams: int = 1,
    ) -> None:
        sums = verified_sums(folder, DESCRIPTION)
        self.description = read_description(folder / DESCRIPTION, ClassifierDescription)
        self.fingerprint = fingerprint_of(sums)
        first = self.description.first_look
        networks = (*self.description.members, *([first.member] if first else []))
        for network in networks:
            if network.graph not in sums:
                raise BundleError(f"{folder / SUMS} does not list the graph {network.graph}")
        self._ensemble = Ensemble(self.description.ensemble)
        self._networks = MemberNetworks(
            folder, networks, engine=engine, precision=precision, threads=threads, streams=streams
        )

    def look(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Look:
        """Classify one image.

        Args:
            rgb: `[H, W, 3]`, 8-bit.
            mask: `[H, W]`, true on the lesion; none where there is none, and then every crop is the full square.

        Raises:
            ValueError: If image and mask differ in size.
        """
        if mask is not None and mask.shape != rgb.shape[:2]:
            raise ValueError(f"mask is {mask.shape}, the image {rgb.shape[:2]}; they must have one size")
        seen: dict[str, SeenViews] = {}
        again = None
        networks = self._networks.on(rgb, mask)

        def see(member: MemberPart) -> SeenViews:
            return networks.see(member, again.box if again and "look" in member.crops.names else None)

        if first := self.description.first_look:
            seen[first.member.graph] = see(first.member)
            again = seen[first.member.graph].look_again(first.rules)
        for member in self.description.members:
            if member.graph not in seen:
                seen[member.graph] = see(member)
        if first and first.looks > 2:
            (member,) = self.description.members
            again = seen[member.graph].look_again(first.rules)
            seen[member.graph] = see(member)
        found = [seen[member.graph] for member in self.description.members]
        classes = self.description.ensemble.classes
        members = np.stack([one.probabilities for one in found])
        probabilities = self._ensemble.combine(members[:, :, None])[0]
        maps, crops = tuple(one.maps for one in found), tuple(one.views.squares for one in found)
        return Look(classes, probabilities, members, maps, crops, again)


def load_classifier(folder: str | Path, *, engine: EngineName | None = None) -> LesionClassifier:
    """Load what `dermoscope export` made of a network with class activation maps, or of an ensemble of them.

    Args:
        folder: The folder.
        engine: `openvino` or `onnxruntime`; by default the first one installed.

    Raises:
        BundleError: If a file or a sum is missing or wrong, or the schema is unknown.
        EngineError: If no engine can run a graph.
    """
    return LesionClassifier(Path(folder), engine=engine)
