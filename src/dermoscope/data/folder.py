"""Folders of photographs: one folder a class, or no classes at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import IMAGE_SUFFIXES, Layout, images_below
from dermoscope.data.manifest import Record
from dermoscope.data.problems import ManifestError, Problem, suggestion

__all__ = ["IMAGE_SUFFIXES", "ClassFolders", "Photographs", "folder_records"]

_SPLITS: Mapping[str, str] = MappingProxyType(
    {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
)


@dataclass(frozen=True)
class Photographs(Layout):
    """Photographs at any depth below a folder, all with one diagnosis or none.

    Format: files that end in .jpg, .jpeg, .png, .webp, .tif, .tiff or .bmp. The name of the folder an image lies in
    becomes its `site`.

    Classes: what `diagnosis` says. Split: none. Licence, citation and counts: the owner's.

    Attributes:
        root: The folder.
        diagnosis: A code of the taxonomy, such as `NOT_SKIN`; empty for unknown.
        source: Name of the collection; the folder's name if empty.
    """

    TITLE: ClassVar[str] = "a folder of photographs without classes"
    LICENCE: ClassVar[str] = "the owner's"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType({})

    diagnosis: str = ""
    source: str = ""

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, sorted by path. See `Layout.records`."""
        del need_files  # the folder is the table
        return folder_records(self.root, diagnosis=self.diagnosis, source=self.source or self.root.resolve().name)


@dataclass(frozen=True)
class ClassFolders(Layout):
    """One folder a class, with or without a folder a split around them.

    Format: `<class>/…/<image>` or `<train|val|test>/<class>/…/<image>`. A class is a code of the taxonomy in any case
    (`MEL`, `nv`, `not_skin`), or a name that `classes` maps to one. Image ids are the paths below the root without
    ending, with `_` in place of `/`, so that equal names in two folders stay apart.

    Classes: those folders. Split: those folders, else none. Licence, citation and counts: the owner's.

    Attributes:
        root: The folder that holds the class folders or the split folders.
        classes: Code by folder name, for folders that are not named after a code.
        source: Name of the collection; the folder's name if empty.
    """

    TITLE: ClassVar[str] = "one folder a class, with or without a folder a split around them"
    LICENCE: ClassVar[str] = "the owner's"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType({})

    classes: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, sorted by path. See `Layout.records`.

        Raises:
            FileNotFoundError: If the folder is missing.
            ManifestError: If folders with images are named after no class; it names every one.
        """
        del need_files  # the folder is the table
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root} is not a folder")
        unknown: dict[str, Problem] = {}
        for path in images_below(self.root):
            folders = path.relative_to(self.root).parts[:-1]
            split = _SPLITS.get(folders[0].lower(), "") if folders else ""
            name = (*folders[bool(split) :], "")[0]
            code = self.classes.get(name, name.upper())
            if code not in taxonomy.CODE_NAMES:
                near = suggestion(name.upper(), taxonomy.CODE_NAMES)
                reason = f"names no class{near}; known: {', '.join(taxonomy.CODE_NAMES)}"
                unknown.setdefault(
                    name, Problem(None, "", name or path.name, reason if name else "lies in no class folder")
                )
            if unknown:
                continue  # nothing is handed out any more, but every wrong folder is to be named
            yield Record(
                image_id="_".join((*folders, path.stem)),
                path=path,
                diagnosis=code,
                source=self.source or self.root.resolve().name,
                split=split,
            )
        if unknown:
            raise ManifestError(self.root, list(unknown.values()))


def folder_records(root: Path, *, diagnosis: str, source: str) -> Iterator[Record]:
    """Every image below a folder, all with one diagnosis; the name of the folder it lies in becomes its `site`.

    Args:
        root: The folder.
        diagnosis: A code of the taxonomy, such as `NOT_SKIN`.
        source: Name of the collection.

    Raises:
        FileNotFoundError: If the folder is missing.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder")
    for path in images_below(root):
        yield Record(image_id=path.stem, path=path, diagnosis=diagnosis, source=source, site=path.parent.name)
