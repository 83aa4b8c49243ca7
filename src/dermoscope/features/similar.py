"""The stored cases that look most like an image, by the angle between features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract
from dermoscope.engine import Graph
from dermoscope.features.extraction import Failed, WorkItem, decode_views, encode_views
from dermoscope.features.store import FeatureStore
from dermoscope.images import ImageError, printable
from dermoscope.images.symmetries import ORIGINAL


@dataclass(frozen=True)
class SimilarCase:
    """A stored image.

    Attributes:
        record: Its row in the manifest.
        distance: Cosine distance of the features, 0 (same direction) to 2 (opposite).
    """

    record: Record
    distance: float


@dataclass(frozen=True)
class Query:
    """The image to compare with.

    Attributes:
        vector: `[C]`, its feature.
        pixels_sha256: Of its pixels, to know it again among the stored ones.
    """

    vector: NDArray[np.float32]
    pixels_sha256: str


def query_of(path: Path, contract: InputContract, graph: Graph) -> Query:
    """The feature of one image file.

    Raises:
        ImageError: If it cannot be used.
    """
    decoded = decode_views(WorkItem(0, path, (ORIGINAL,)), contract)
    outcome = decoded if isinstance(decoded, Failed) else encode_views(decoded, graph, ("mean",))
    if isinstance(outcome, Failed):
        raise ImageError(printable(path), outcome.reason)
    return Query(outcome.columns["mean"][0], outcome.pixels_sha256)


def similar_cases(query: Query, store: FeatureStore, records: Sequence[Record], count: int) -> list[SimilarCase]:
    """The images of a manifest that are nearest to a query, the nearest first; never the very same pixels.

    Images of the store that the manifest does not name are passed over; of images with equal pixels, the manifest's
    first is taken.

    Args:
        query: The image to compare with.
        store: Features of the encoder that made the query.
        records: The manifest; the labels come from here.
        count: How many; fewer come back where the store has fewer.

    Raises:
        FeatureError: If the store holds no means, or a file of the manifest cannot be read.
    """
    named: dict[str, Record] = {}
    pixels = store.pixels_of(records)
    for record in records:
        if record.path in pixels:
            named.setdefault(pixels[record.path], record)
    named.pop(query.pixels_sha256, None)
    wanted = min(count, len(named))
    asked = 2 * wanted + 1
    while True:
        nearest = store.nearest(query.vector, asked)
        cases = [SimilarCase(named[one], distance) for one, distance in nearest if one in named]
        if len(cases) >= wanted or len(nearest) < asked:
            return cases[:wanted]
        asked *= 4
