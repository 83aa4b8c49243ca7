"""Whether the files that a manifest names are there, are images, and fit each other. Only headers are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from dermoscope.data.problems import Problem

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


def file_problems(row: int, files: Mapping[str, Path]) -> Iterator[Problem]:
    """What is wrong with the files of one row.

    Args:
        row: Its number, for the messages.
        files: The image as `path` and its mask, if it has one, as `mask_path`.
    """
    missing = [column for column, path in files.items() if not path.is_file()]
    for column in missing:
        yield Problem(row, column, str(files[column]), "does not exist, or is no file")
    if missing or not {"path", "mask_path"} <= files.keys():
        return
    sizes: dict[str, tuple[int, int]] = {}
    for column, path in files.items():
        try:
            sizes[column] = image_size(path)
        except ValueError as error:
            yield Problem(row, column, str(path), str(error))
    if len(sizes) == len(files) and sizes["path"] != sizes["mask_path"]:
        image, mask = (f"{width}×{height}" for width, height in (sizes["path"], sizes["mask_path"]))
        yield Problem(row, "mask_path", str(files["mask_path"]), f"is {mask} pixels, but its image is {image}")


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as the image is meant to be seen, from its header.

    Raises:
        ValueError: If it is no JPEG, PNG, BMP, TIFF or WebP; the message says why, without the name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=_FORMATS) as image:
                turned = image.getexif().get(_ORIENTATION) in _TURNED
                return (image.height, image.width) if turned else image.size
        except UnidentifiedImageError:
            raise ValueError(f"is none of {', '.join(_FORMATS)}") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"cannot be read: {error}") from None
