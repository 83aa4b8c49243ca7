"""The squares that a network learns from, cut out of an image around its lesion and kept on disk. Torch-free."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Status
from dermoscope.batch.inputs import SEGMENTS_NAME
from dermoscope.batch.results import read_segments
from dermoscope.camnet.lesion_views import lesion_views
from dermoscope.data.manifest import Record
from dermoscope.files import sha256_of
from dermoscope.images import decode, read_mask
from dermoscope.images.hair import remove_hair
from dermoscope.images.lesion_crops import Box
from dermoscope.segment.classical import classical_mask
from dermoscope.training.kept_arrays import Entry, KeptArrays, OnProgress, seconds_an_entry
from dermoscope.training.mask_images import images_fingerprint
from dermoscope.training.recipes.cams import CAMRecipe

_SCHEMA = 3
_TRIED = 8

Key = tuple[str, str]
"""Source and name of an image."""


class CropCache:
    """Squares of N images with their masks, each image decoded, cleaned and cut once.

    Attributes:
        records: The N images.
        side: Of the squares, in pixels.
        fingerprint: Tells images, masks, cleaning and crops from others.

    Args:
        folder: Where they lie, or are to lie.
        records: The N images.
        recipe: Says what is cleaned and cut.
        masks: Folder that `dermoscope segment` has written; for a recipe whose masks come from a folder.
        looks: Box of each image, by `key_of`, in its pixels; for a recipe with the view `look`.

    Raises:
        CacheError: If the folder holds other crops, or the disk is too small.
        ValueError: If an image has no mask where the recipe needs one.
        OutputError: If it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        records: Sequence[Record],
        recipe: CAMRecipe,
        masks: Path | None = None,
        *,
        looks: Mapping[Key, Box] | None = None,
    ) -> None:
        self.records, self._recipe = records, recipe
        self._rows = {key_of(record): row for row, record in enumerate(records)}
        self._looks = [None if looks is None else looks[key_of(record)] for record in records]
        self.side = recipe.crops.side(recipe.model.size)
        self._masks = _mask_paths(records, recipe, masks)
        crops = len(recipe.crops.names)
        description = {
            "schema": _SCHEMA,
            "side": self.side,
            "images": images_fingerprint(records),
            "masks": _files_fingerprint(self._masks),
            "crops": recipe.crops.model_dump(mode="json", exclude={"each_epoch", "room"}),
            "cleaning": recipe.cleaning.model_dump(mode="json"),
            "looks": "" if looks is None else hashlib.sha256(json.dumps(self._looks).encode()).hexdigest(),
        }
        arrays = {
            "crops.u8": (np.uint8, (crops, self.side, self.side, 3)),
            "masks.u8": (np.uint8, (crops, self.side, self.side)),
            "boxes.i32": (np.int32, (crops, 4)),
        }
        self.fingerprint = hashlib.sha256(json.dumps(description).encode()).hexdigest()
        self._kept = KeptArrays(folder, description, (len(records),), arrays)

    @property
    def bytes(self) -> int:
        """Size of the whole cache on disk."""
        return self._kept.bytes

    def rows_of(self, records: Iterable[Record]) -> NDArray[np.intp]:
        """Where some of the images lie.

        Raises:
            KeyError: If one is not here.
        """
        return np.array([self._rows[key_of(record)] for record in records], np.intp)

    def missing(self, rows: NDArray[np.intp] | None = None) -> int:
        """Images that are still to be cut, of some rows or of all."""
        return len(self._kept.todo(rows))

    def fill(
        self,
        rows: NDArray[np.intp] | None = None,
        *,
        threads: int = 2,
        on_progress: OnProgress = lambda _done, _all: None,
    ) -> None:
        """Cut what is missing.

        Args:
            rows: Of which images; of all if left out.
            threads: Images at once.
            on_progress: Called now and then with the number of finished images and of all.

        Raises:
            ImageError: If an image or a mask cannot be read.
            ValueError: If image and mask differ in size.
            OutputError: If there is no room.
        """
        self._kept.fill(self._compute, wanted=rows, threads=threads, on_progress=on_progress)

    def try_one(self, *, threads: int = 2) -> float:
        """Seconds that an image takes where several are cut at once; nothing is kept."""
        return seconds_an_entry(self._compute, [(index % len(self.records),) for index in range(_TRIED)], threads)

    def rows(self, indices: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Crops `[B, C, S, S, 3]` and masks `[B, C, S, S]`, 255 on the lesion, of some images."""
        crops, masks, _ = self._kept.rows(indices)
        return crops, masks

    def boxes(self, indices: NDArray[np.intp]) -> NDArray[np.int32]:
        """Where the crops of some images were cut, `[B, C, 4]`: left, top, right, bottom in pixels of the image."""
        return np.asarray(self._kept.rows(indices)[2], np.int32)

    def _compute(self, place: Entry) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32]]:
        record = self.records[place[0]]
        rgb = decode(record.path).rgb
        mask = _mask_of(record, self._masks[place[0]], rgb)
        recipe = self._recipe
        find = _without_hair if recipe.crops.masks == "classical" else None
        look = self._looks[place[0]]
        views = lesion_views(rgb, mask, recipe.cleaning, recipe.crops, self.side, find=find, look=look)
        return views.squares, views.masks, np.array(views.boxes, np.int32)


def key_of(record: Record) -> Key:
    """What tells an image of a manifest from all others."""
    return record.source, record.image_id


def _without_hair(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The lesion by the classical pipeline, which takes hair for it where hair is left."""
    return classical_mask(remove_hair(rgb).rgb)


def _mask_paths(records: Sequence[Record], recipe: CAMRecipe, folder: Path | None) -> list[Path | None]:
    """The file with each image's mask; none where it is not needed, is found in the image itself, or is empty."""
    if recipe.crops.masks in ("classical", "none"):
        return [None] * len(records)
    if recipe.crops.masks == "folder":
        return _predicted(records, folder)
    for record in records:
        if record.mask_path is None:
            raise ValueError(
                f"{record.image_id} has no mask in the manifest; predict masks with dermoscope segment and give its "
                "folder with --masks, or take --set crops.masks=classical"
            )
    return [record.mask_path for record in records]


def _predicted(records: Sequence[Record], folder: Path | None) -> list[Path | None]:
    """Masks of a results folder of `dermoscope segment`; images without a lesion there have none."""
    if folder is None:
        raise ValueError("crops.masks is folder: name it with --masks; dermoscope segment writes one")
    lines = folder / SEGMENTS_NAME
    if not lines.is_file():
        raise ValueError(f"--masks: {folder} has no {SEGMENTS_NAME}; name a folder that dermoscope segment has written")
    found = {line.image_id: line for line in read_segments(lines) if line.status is Status.DONE}
    for record in records:
        if record.image_id not in found:
            raise ValueError(f"--masks: {folder} does not know {record.image_id}; run dermoscope segment on its image")
    return [folder / "masks" / f"{record.image_id}.png" if found[record.image_id].box else None for record in records]


def _mask_of(record: Record, path: Path | None, rgb: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    if path is None:
        return None
    mask = read_mask(path)
    if mask.shape != rgb.shape[:2]:
        raise ValueError(
            f"{path} is {mask.shape[1]}x{mask.shape[0]}, its image {record.path} is {rgb.shape[1]}x{rgb.shape[0]}; "
            "a mask must have the size of its image"
        )
    return mask


def _files_fingerprint(paths: Sequence[Path | None]) -> str:
    """A SHA-256 that tells mask files by their names and contents, in order."""
    digest = hashlib.sha256()
    for path in paths:
        if path is not None:
            digest.update(f"{path.name}\n{sha256_of(path)}\n".encode())
    return digest.hexdigest()
