"""Counting again, in the official tables, what the published systems rest on.

Shares are taken in whole numbers (`n * 70 // 100`), as floating point would round some of them down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.dtd import DTD
from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.isic2017 import ISIC2017
from dermoscope.data.isic2018 import ISIC2018Task1
from dermoscope.data.isic2019 import ISIC2019
from dermoscope.data.layout import Layout
from dermoscope.data.manifest import Record

FOLDERS: Mapping[str, type[Layout]] = {
    "ISIC2019": ISIC2019,
    "HAM10000": HAM10000,
    "ISIC2017": ISIC2017,
    "ISIC2018": ISIC2018Task1,
    "DTD": DTD,
}
"""Folder of each data set below the root, and its reader."""

COPIES = 5
"""System 1 keeps five copies of each image: as it is, flipped, and turned by quarters."""

GRAZ_SHARES = (70, 15)
"""System 1's training and validation share in percent; the rest is its test set. Drawn by image, not by lesion."""

GIRONA_SHARES = (60, 15)
"""System 2's training and validation share in percent of every class; the rest is its test set."""

LEAKY_DTD_FILES = (19_632, 4_224, 4_344)
"""Files of DTD in system 1's training, validation and test set, as published."""

ISIC2017_DIAGNOSES: Mapping[str, int] = {
    name: count for name, count in ISIC2017.OFFICIAL_COUNTS.items() if name.split()[1] in taxonomy.ISIC2019_CODES
}
"""Split and code to the official count of ISIC 2017 Part 3."""


class TablesMissingError(LookupError):
    """A count needs tables that are not there, or not whole."""


class Tables:
    """The tables below one folder, each read once and without its images.

    Args:
        root: The folder that holds `ISIC2019`, `HAM10000` and so on, see `FOLDERS`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, tuple[Record, ...]] = {}

    def records(self, folder: str, split: str = "") -> tuple[Record, ...]:
        """What a data set's tables list, of one split where given.

        Raises:
            TablesMissingError: If there is nothing.
        """
        if folder not in self._read:
            try:
                self._read[folder] = tuple(FOLDERS[folder](self._root / folder).records(need_files=False))
            except FileNotFoundError:
                self._read[folder] = ()
        found = tuple(record for record in self._read[folder] if split in ("", record.split))
        if not found:
            raise TablesMissingError(f"{folder}{f' ({split})' if split else ''} is not there")
        return found

    def ids(self, folder: str, split: str = "") -> set[str]:
        """Their image ids, without `_downsampled`."""
        return {record.image_id for record in self.records(folder, split)}

    def labelled(self, split: str) -> tuple[Record, ...]:
        """A split of ISIC 2019 with its diagnoses.

        Raises:
            TablesMissingError: If the table of diagnoses is missing.
        """
        found = self.records("ISIC2019", split)
        if not all(record.diagnosis for record in found):
            raise TablesMissingError(f"ISIC2019 ({split}) is there without diagnoses")
        return found

    def textures(self) -> Counter[str]:
        """Images of each texture of a whole DTD.

        Raises:
            TablesMissingError: If textures are missing.
        """
        sizes = Counter(record.site for record in self.records("DTD"))
        if len(sizes) < DTD.OFFICIAL_COUNTS["textures"]:
            raise TablesMissingError(f"DTD is there with {len(sizes)} of {DTD.OFFICIAL_COUNTS['textures']} textures")
        return sizes


def shares(number: int, percent: Sequence[int]) -> tuple[int, ...]:
    """A number cut by shares, each rounded down, and what is left as the last.

    Example:
        >>> shares(33_569, (70, 15))
        (23498, 5035, 5036)
    """
    parts = [number * share // 100 for share in percent]
    return (*parts, number - sum(parts))


def leaky_textures(images: int, textures: int, files: Sequence[int]) -> tuple[int, ...]:
    """How many textures fell, as one unit, into each part of system 1's split of DTD.

    Its function for the name of an image cut two parts off `banded_0001_original`, so that the originals of a texture
    became one unit (`banded`), apart from the flips and turns of its images, which are one unit an image. With `u`
    units in a part of `f` files and `n` images a texture, `4 (u - t) + n t = f` gives the textures `t`.

    Args:
        images: Images of the data set.
        textures: Its textures, all of one size.
        files: Published files of the three parts.

    Raises:
        ValueError: If no whole number of textures explains a part.
    """
    size, copies = images // textures, COPIES - 1
    found = []
    for units, number in zip(shares(images + textures, GRAZ_SHARES), files, strict=True):
        count, rest = divmod(number - copies * units, size - copies)
        if rest or not 0 <= count <= textures:
            raise ValueError(f"no whole number of textures among {units} units makes {number} files")
        found.append(count)
    return tuple(found)


def isic2019(tables: Tables) -> dict[str, int]:
    """Images, codes, groups and malignancy of ISIC 2019, training and test set together."""
    train, test = tables.labelled("train"), tables.labelled("test")
    codes = Counter(record.diagnosis for record in (*train, *test))
    groups: Counter[str] = Counter()
    for code, number in codes.items():
        groups[taxonomy.GROUP_OF.get(code, "in no group")] += number
    graz = taxonomy.malignancy_definition("graz")
    return {
        "training images": len(train),
        "test images": len(test),
        "images": len(train) + len(test),
        **{f"{code}": codes[code] for code in taxonomy.ISIC2019_CODES},
        "in five groups": sum(groups[group] for group in taxonomy.GROUPS),
        **{group: groups[group] for group in taxonomy.GROUPS},
        "malignant by graz": sum(codes[code] for code in graz.malignant),
        "benign by graz": sum(codes[code] for code in graz.benign),
        "in training and test": len(tables.ids("ISIC2019", "train") & tables.ids("ISIC2019", "test")),
    }


def isic2019_lesions(tables: Tables) -> dict[str, int]:
    """Lesions and sources of ISIC 2019's training set."""
    train = tables.records("ISIC2019", "train")
    sources = Counter(record.lesion_id[:3] for record in train)
    return {
        **_lesions(train),
        "images without a lesion id": sources[""],
        "from HAM10000": sources["HAM"],
        "from BCN20000": sources["BCN"],
        "from MSK, with a lesion id": sources["MSK"],
        "files named _downsampled": sum(record.path.stem.endswith("_downsampled") for record in train),
    }


def ham10000(tables: Tables) -> dict[str, int]:
    """Images and lesions of HAM10000."""
    records = tables.records("HAM10000")
    return {"images": len(records), **_lesions(records)}


def _lesions(records: Sequence[Record]) -> dict[str, int]:
    sizes = Counter(record.lesion_id for record in records if record.lesion_id)
    several = [size for size in sizes.values() if size > 1]
    return {
        "lesions": len(sizes),
        "lesions with several images": len(several),
        "images of such lesions": sum(several),
        "most images of a lesion": max(sizes.values()),
    }


def akiec(tables: Tables) -> dict[str, int]:
    """What the `akiec` images of HAM10000 are in ISIC 2019."""
    isic2019 = {record.image_id: record.diagnosis for record in tables.labelled("train")}
    resolved = Counter(
        taxonomy.resolve_akiec(record.diagnosis, record.image_id, isic2019)
        for record in tables.records("HAM10000")
        if record.diagnosis == "AKIEC"
    )
    return {"AK": resolved["AK"], "SCC": resolved["SCC"], "in neither": resolved["AKIEC"]}


def isic2017(tables: Tables) -> dict[str, int]:
    """Diagnoses of ISIC 2017, split by split."""
    found = Counter(f"{record.split} {record.diagnosis}" for record in tables.records("ISIC2017"))
    return {name: found[name] for name in ISIC2017_DIAGNOSES}


def graz(tables: Tables) -> dict[str, int]:
    """System 1's skin images, their copies, and its split."""
    counts = isic2019(tables)
    skin = counts["images"]
    parts = dict(zip(("training", "validation", "test"), shares(skin, GRAZ_SHARES), strict=True))
    return {
        "skin ×5": skin * COPIES,
        "in five groups ×5": counts["in five groups"] * COPIES,
        "malignant by graz ×5": counts["malignant by graz"] * COPIES,
        "benign by graz ×5": counts["benign by graz"] * COPIES,
        **{f"skin, {name}": number for name, number in parts.items()},
        **{f"skin, {name} ×5": number * COPIES for name, number in parts.items()},
    }


def graz_textures(tables: Tables) -> dict[str, int]:
    """System 1's textures, their copies, the clean split and the leaky one that ran."""
    sizes = tables.textures()
    images = sum(sizes.values())
    parts = dict(zip(("training", "validation", "test"), shares(images, GRAZ_SHARES), strict=True))
    try:
        leaky = leaky_textures(images, len(sizes), LEAKY_DTD_FILES)
    except ValueError as error:
        raise TablesMissingError(str(error)) from error
    units = shares(images + len(sizes), GRAZ_SHARES)
    size = images // len(sizes)
    files = [(COPIES - 1) * (unit - count) + size * count for unit, count in zip(units, leaky, strict=True)]
    return {
        "images": images,
        "textures": len(sizes),
        "images ×5": images * COPIES,
        **{f"clean split, {name}": number for name, number in parts.items()},
        **{f"clean split, {name} ×5": number * COPIES for name, number in parts.items()},
        **{f"leaky split, {name}: files": number for name, number in zip(parts, files, strict=True)},
        **{f"leaky split, {name}: textures as one": number for name, number in zip(parts, leaky, strict=True)},
    }


def graz_gate(tables: Tables) -> dict[str, int]:
    """Everything system 1's gate between skin and textures has seen."""
    skin = len(tables.records("ISIC2019", "train")) + len(tables.records("ISIC2019", "test"))
    return {"skin and textures ×5": (skin + sum(tables.textures().values())) * COPIES}


def girona(tables: Tables) -> dict[str, int]:
    """System 2's split of every class of ISIC 2019's training set."""
    codes = Counter(record.diagnosis for record in tables.labelled("train"))
    parts = {code: shares(number, GIRONA_SHARES) for code, number in codes.items()}
    found: dict[str, int] = {}
    for position, name in enumerate(("training", "validation", "test")):
        found[f"{name}, nevi"] = parts["NV"][position]
        found[f"{name}, others"] = sum(part[position] for code, part in parts.items() if code != "NV")
        found |= {f"{name}, {code}": parts[code][position] for code in ("BCC", "MEL", "SCC")}
    return found


def overlaps(tables: Tables) -> dict[str, int]:
    """Images of other years that are in ISIC 2019's training set."""
    train = tables.ids("ISIC2019", "train")
    return {
        "HAM10000": len(tables.ids("HAM10000") & train),
        **{f"ISIC 2017 {split}": len(tables.ids("ISIC2017", split) & train) for split in ("train", "val", "test")},
    }


def task1_overlaps(tables: Tables) -> dict[str, int]:
    """Images of ISIC 2018 Task 1's training set that other data sets have too."""
    task1 = tables.ids("ISIC2018", "train")
    return {
        "images": len(task1),
        "in HAM10000": len(task1 & tables.ids("HAM10000")),
        "in ISIC 2017": len(task1 & tables.ids("ISIC2017")),
        "in ISIC 2017 test": len(task1 & tables.ids("ISIC2017", "test")),
        "in ISIC 2019 training": len(task1 & tables.ids("ISIC2019", "train")),
    }
