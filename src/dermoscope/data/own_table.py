"""A researcher's own table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from dermoscope.data.layout import Layout
from dermoscope.data.manifest import Record, read_manifest


@dataclass(frozen=True)
class OwnTable(Layout):
    """A table of one's own: CSV or Parquet with a column `path`, and any other column of a manifest.

    Format: see `read_manifest`. Relative paths start from the table's folder.

    Classes, split: what the table says. Licence, citation and counts: the owner's.

    Attributes:
        root: The table itself.
    """

    TITLE: ClassVar[str] = "your own CSV or Parquet with a column path"
    LICENCE: ClassVar[str] = "the owner's"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record a row. See `Layout.records`; whether files are there is left to `manifest_problems`."""
        del need_files
        return read_manifest(self.root)
