"""Small pictures of a sample of images, with the outlines of their masks, for the page about a data set."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.data.statistics import Reservoir, cell_of, class_title
from dermoscope.images import ImageError, decode, printable

# Half as large again as the page shows them, for screens with small pixels.
_HEIGHT = 216
_WIDTH = 432
_JPEG_QUALITY = 80
_MASK_THRESHOLD = 128
_SAME_SHAPE = 0.02
_SMOOTHNESS = 0.6
# Spare images a class, for those that turn out to be broken.
_SPARE = 8
_PROBLEMS_KEPT = 500


@dataclass(frozen=True)
class Entry:
    """One row of the manifest that may be shown: its number, counted from 1, and its record."""

    row: int
    record: Record


@dataclass(frozen=True)
class Picture:
    """One small picture.

    Attributes:
        source: A JPEG as data URI, made from pixels alone.
        width: Pixels.
        height: Pixels.
        row: Row of the manifest.
        split: Where the image belongs; may be empty.
        outline: The border of the mask as an SVG path in pixels of the picture; empty without a mask.
        name: Image id; empty where names are kept out.
        about: Age, sex and site; empty where names are kept out.
    """

    source: str
    width: int
    height: int
    row: int
    split: str
    outline: str
    name: str
    about: str


@dataclass(frozen=True)
class Sheet:
    """The pictures of one class."""

    class_name: str
    title: str
    images: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Problem:
    """A file that a row names and that cannot be used.

    Attributes:
        row: Row of the manifest, counted from 1.
        what: `image` or `mask`.
        reason: Why, without the file's name.
        name: The path; empty where names are kept out.
    """

    row: int
    what: str
    reason: str
    name: str


class Problems:
    """Files that cannot be used: all counted, the first ones kept.

    Args:
        names: Whether to keep the paths.
    """

    def __init__(self, *, names: bool) -> None:
        self._names = names
        self._found: dict[tuple[int, str], Problem] = {}
        self.count = 0

    def add(self, row: int, what: str, path: Path, reason: str) -> None:
        """Add one, unless its row has it already."""
        if (row, what) in self._found:
            return
        self.count += 1
        if len(self._found) < _PROBLEMS_KEPT:
            self._found[row, what] = Problem(row, what, reason, printable(path) if self._names else "")

    @property
    def kept(self) -> tuple[Problem, ...]:
        """The first ones, by row."""
        return tuple(sorted(self._found.values(), key=lambda problem: problem.row))


class Sampler:
    """Keeps a fair sample of the images of each class while a manifest passes by.

    Args:
        images: Pictures wanted a class.
        seed: Which ones; the same seed and manifest give the same sample.
    """

    def __init__(self, images: int, seed: int) -> None:
        self._images = images
        self._seed = seed
        self._samples: dict[str, Reservoir[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Offer one row."""
        name = cell_of(entry.record).class_name
        if name not in self._samples:
            size = self._images + _SPARE if self._images else 0
            self._samples[name] = Reservoir(size, f"{self._seed} {name}")
        self._samples[name].add(entry)

    def entries(self, class_name: str) -> Iterable[Entry]:
        """The sample of one class in random order, with a few to spare."""
        return self._samples[class_name]


def make_sheet(
    class_name: str, images: int, entries: Iterable[Entry], wanted: int, problems: Problems, *, names: bool
) -> Sheet:
    """Decode a sample and trace the masks; what cannot be read goes to `problems`.

    Args:
        class_name: Of all entries.
        images: How many images of the class there are.
        entries: The sample in random order, with some to spare; the pictures are in the order of the manifest.
        wanted: How many pictures to make at most.
        problems: Takes what cannot be used.
        names: Whether image id, age, sex and site may be shown.
    """
    made = (_picture(entry, problems, names=names) for entry in entries)
    pictures = sorted(islice(filter(None, made), wanted), key=lambda picture: picture.row)
    return Sheet(printable(class_name), class_title(class_name), images, tuple(pictures))


def _picture(entry: Entry, problems: Problems, *, names: bool) -> Picture | None:
    record = entry.record
    try:
        image = decode(record.path, max_side=_WIDTH)
    except ImageError as error:
        problems.add(entry.row, "image", record.path, error.reason)
        return None
    small = _fit(image.rgb)
    mask = _mask(entry, problems, image.width / image.height)
    return Picture(
        source=_data_uri(small),
        width=small.shape[1],
        height=small.shape[0],
        row=entry.row,
        split=record.split,
        outline=_outline(mask, small.shape[1], small.shape[0]) if mask is not None else "",
        name=printable(record.image_id) if names else "",
        about=", ".join(_about(record)) if names else "",
    )


def _mask(entry: Entry, problems: Problems, shape: float) -> NDArray[np.bool_] | None:
    path = entry.record.mask_path
    if path is None:
        return None
    try:
        mask = decode(path)
    except ImageError as error:
        problems.add(entry.row, "mask", path, error.reason)
        return None
    if abs(mask.width / mask.height / shape - 1) > _SAME_SHAPE:
        problems.add(entry.row, "mask", path, f"has another shape than its image: {mask.width} × {mask.height} pixels")
        return None
    return mask.rgb[..., 0] >= _MASK_THRESHOLD


def _outline(mask: NDArray[np.bool_], width: int, height: int) -> str:
    """The border of a mask, holes included, as the `d` of an SVG path: the browser draws it sharp at any size."""
    coverage = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(coverage, (0, 0), _SMOOTHNESS)
    contours, _ = cv2.findContours((smooth >= 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    simple = (cv2.approxPolyDP(contour, _SMOOTHNESS, closed=True)[:, 0] for contour in contours)
    return "".join(f"M{'L'.join(f'{x} {y}' for x, y in points)}Z" for points in simple if len(points) > 2)


def _about(record: Record) -> Iterator[str]:
    if record.age is not None:
        yield f"{record.age:.0f} years"
    yield from (text for text in (record.sex, printable(record.site)) if text)


def _fit(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    scale = min(_HEIGHT / height, _WIDTH / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _data_uri(rgb: NDArray[np.uint8]) -> str:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
