"""Every layout that can be read, by the name the command line knows it by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dermoscope.data.dtd import DTD
from dermoscope.data.folder import ClassFolders, Photographs
from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.isic2016 import ISIC2016
from dermoscope.data.isic2017 import ISIC2017
from dermoscope.data.isic2018 import ISIC2018Task1, ISIC2018Task3
from dermoscope.data.isic2019 import ISIC2019
from dermoscope.data.isic2020 import ISIC2020
from dermoscope.data.layout import Layout
from dermoscope.data.own_table import OwnTable
from dermoscope.data.ph2 import PH2
from dermoscope.data.problems import suggestion

READERS: Mapping[str, type[Layout]] = MappingProxyType(
    {
        "ham10000": HAM10000,
        "isic2016": ISIC2016,
        "isic2017": ISIC2017,
        "isic2018-task1": ISIC2018Task1,
        "isic2018-task3": ISIC2018Task3,
        "isic2019": ISIC2019,
        "isic2020": ISIC2020,
        "ph2": PH2,
        "dtd": DTD,
        "classes": ClassFolders,
        "photographs": Photographs,
        "table": OwnTable,
    }
)
"""Name to reader. Each is made from its root alone."""


def open_layout(name: str, root: Path) -> Layout:
    """The reader of a layout.

    Args:
        name: A key of `READERS`.
        root: The folder of the download; for `table` the file.

    Raises:
        ValueError: If there is no such layout; the message lists those there are.
    """
    if name not in READERS:
        near = suggestion(name.lower(), list(READERS))
        raise ValueError(f"unknown layout {name!r}{near or '.'} Known layouts: {', '.join(READERS)}")
    return READERS[name](root)
