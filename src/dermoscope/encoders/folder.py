"""An exported encoder: a folder with `encoder.onnx` and `encoder.json`, all that making features needs. Torch-free."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope.encoders.inputs import InputContract
from dermoscope.files import sha256_of

GRAPH = "encoder.onnx"
DESCRIPTION = "encoder.json"
OUTPUTS = ("embedding", "feature", "statistics")

SUMMARIES_VERSION = 1
"""Goes up when the same maps are summed up otherwise: other statistics, another order of maps."""
CODE_VERSION = 1
"""Goes up when the same image, contract and weights come to give other maps."""

WeightType = Literal["float32", "float16"]


class EncoderFolderError(ValueError):
    """A folder is no exported encoder; the message names the file and the way out."""


class MapDescription(BaseModel):
    """One map of the encoder, in the order of the columns of `statistics`.

    Attributes:
        channels: Its channels; `statistics` holds as many means, then as many standard deviations.
        side: Its cells along one side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int
    side: int


class EncoderDescription(BaseModel):
    """What `encoder.json` says.

    Attributes:
        schema_version: Of this file.
        name: Name of the encoder in the registry.
        tag: Which weights of that architecture.
        contract: How it wants its images.
        maps: Its maps, the embedding last.
        outputs: Names of the graph's outputs; its inputs are `image` and `pool_weights`.
        weights_sha256: Of the weights the graph was made of.
        weight_type: How the graph stores them; arithmetic is the engine's business.
        graph_sha256: Of `encoder.onnx`.
        summaries_version: See `SUMMARIES_VERSION`.
        code_version: See `CODE_VERSION`.
        fingerprint: Sixteen hexadecimal digits that stand for all that decides what the features are.
        licence: Licence of the weights.
        source: Where the weights come from.
        trained_on: What the weights have seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    tag: str
    contract: InputContract
    maps: tuple[MapDescription, ...]
    outputs: tuple[str, ...] = OUTPUTS
    weights_sha256: str
    weight_type: WeightType
    graph_sha256: str
    summaries_version: int = SUMMARIES_VERSION
    code_version: int = CODE_VERSION
    fingerprint: str
    licence: str
    source: str
    trained_on: str

    @property
    def channels(self) -> int:
        """Length of the feature."""
        return self.maps[-1].channels

    def expected_fingerprint(self) -> str:
        """The fingerprint that follows from the other fields."""
        return encoder_fingerprint(
            self.weights_sha256, self.contract, self.name, self.weight_type,
            summaries_version=self.summaries_version, code_version=self.code_version,
        )  # fmt: skip


def encoder_fingerprint(
    weights_sha256: str,
    contract: InputContract,
    name: str,
    weight_type: WeightType = "float32",
    *,
    summaries_version: int = SUMMARIES_VERSION,
    code_version: int = CODE_VERSION,
) -> str:
    """What decides an encoder's features, as sixteen hexadecimal digits.

    Args:
        weights_sha256: Of the weights.
        contract: How images are prepared.
        name: Name of the encoder.
        weight_type: How the graph stores the weights.
        summaries_version: See `SUMMARIES_VERSION`.
        code_version: See `CODE_VERSION`.
    """
    parts = (weights_sha256, contract.model_dump_json(), name, weight_type, str(summaries_version), str(code_version))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class EncoderFolder:
    """An exported encoder on disk, checked.

    Attributes:
        folder: Where it is.
        description: What it is.
    """

    folder: Path
    description: EncoderDescription

    @property
    def graph(self) -> Path:
        """The ONNX file, for `dermoscope.engine.compile_graph`."""
        return self.folder / GRAPH

    @classmethod
    def load(cls, folder: Path) -> EncoderFolder:
        """Read and verify an exported encoder.

        Raises:
            EncoderFolderError: If a file is missing, damaged, changed, or of another schema.
        """
        path = folder / DESCRIPTION
        way_out = "make it with: dermoscope models export-encoder"
        if not path.is_file():
            raise EncoderFolderError(f"{folder} is not an exported encoder, it holds no {DESCRIPTION}; {way_out}")
        try:
            description = EncoderDescription.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise EncoderFolderError(f"{path}: {where}: {first['msg']}; {way_out}") from None
        if description.fingerprint != description.expected_fingerprint():
            raise EncoderFolderError(f"{path} was changed: its fingerprint does not fit its fields; {way_out}")
        graph = folder / GRAPH
        if not graph.is_file():
            raise EncoderFolderError(f"{graph} is missing; {way_out}")
        if sha256_of(graph) != description.graph_sha256:
            raise EncoderFolderError(f"{graph} does not match its sum in {DESCRIPTION}; {way_out}")
        return cls(folder, description)
