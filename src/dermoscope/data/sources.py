"""Where official data sets can be downloaded, and what a download of them has to match.

The addresses are those of the publishers' own pages: challenge.isic-archive.com for the ISIC challenges, Harvard
Dataverse for HAM10000, the Visual Geometry Group of Oxford for DTD. Checksums stand here only where they are certain:
HAM10000 with the MD5 sums that Dataverse publishes, DTD with the SHA-256 that several libraries check it against. The
ISIC challenges publish none, so the first download writes the sum it found into a lock file, and later ones must match.

Left out: PH2, whose authors hand it out through a file-sharing service without a lasting address; and what needs a
login or a signed agreement. Download those by hand. Sizes are rounded, as the publishers' pages give them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope.data.remote import Checksum, DownloadError, RemoteFile, Source


class _Registry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Source, ...] = ()
    checksums: dict[str, Checksum] = {}


def read_registry(path: Path) -> Mapping[str, Source]:
    """The data sets known here, with what a file of the user adds: whole data sets, or checksums of files.

    The file is JSON with one or both of the keys `sources` (a list of `Source`) and `checksums` (file name to
    `sha256:…`).

    Raises:
        DownloadError: If the file cannot be read or does not fit; the message names file and key.
    """
    try:
        added = _Registry.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DownloadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DownloadError(f"{path}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise DownloadError(f"{path}: is no JSON: {error}") from error
    sources = {**SOURCES, **{source.name: source for source in added.sources}}
    unknown = set(added.checksums) - {file.name for source in sources.values() for file in source.files}
    if unknown:
        raise DownloadError(f"{path}: checksums: no data set has a file named {', '.join(sorted(unknown))}")
    return {name: _with_checksums(source, added.checksums) for name, source in sources.items()}


def _with_checksums(source: Source, checksums: Mapping[str, str]) -> Source:
    files = tuple(
        file.model_copy(update={"checksum": checksums.get(file.name, file.checksum)}) for file in source.files
    )
    return source.model_copy(update={"files": files})


def _isic(year: int, sizes: Mapping[str, int]) -> tuple[RemoteFile, ...]:
    base = f"https://isic-archive.s3.amazonaws.com/challenges/{year}/"
    return tuple(RemoteFile(name=name, address=base + name, about_bytes=size) for name, size in sizes.items())


def _dataverse(name: str, number: int, md5: str, size: int, query: str = "") -> RemoteFile:
    address = f"https://dataverse.harvard.edu/api/access/datafile/{number}{query}"
    return RemoteFile(name=name, address=address, checksum=f"md5:{md5}", about_bytes=size)


_KB, _MB, _GB = 1_000, 1_000_000, 1_000_000_000
_ISIC_PAGE = "https://challenge.isic-archive.com/data/"
_BY_NC = "CC BY-NC 4.0 (https://creativecommons.org/licenses/by-nc/4.0/): with attribution, not for commercial use"
_CC0 = "CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/): public domain"
# The challenge's page says CC0; the archive marks some of the same images otherwise.
_MIXED = "CC0 1.0, some images CC BY-NC 4.0 (https://creativecommons.org/licenses/by-nc/4.0/): take the stricter"
_GUTMAN = (
    "Gutman et al., Skin Lesion Analysis toward Melanoma Detection: A Challenge at the International Symposium on "
    "Biomedical Imaging 2016, arXiv:1605.01397"
)
_CODELLA_2017 = (
    "Codella et al., Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the 2017 International Symposium "
    "on Biomedical Imaging, arXiv:1710.05006"
)
_CODELLA_2018 = "Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018, arXiv:1902.03368"
_TSCHANDL = (
    "Tschandl, Rosendahl, Kittler, The HAM10000 dataset, Scientific Data 5:180161, 2018, doi:10.1038/sdata.2018.161"
)

_SOURCES = (
    Source(
        name="ham10000",
        title="HAM10000: 10,015 dermoscopic images, seven diagnoses, lesion masks",
        licence=_BY_NC,
        citation=f"{_TSCHANDL}; masks: Tschandl et al., Human-computer collaboration for skin cancer recognition, "
        "Nature Medicine 26, 2020, doi:10.1038/s41591-020-0942-0",
        page="https://doi.org/10.7910/DVN/DBW86T",
        files=(
            # Dataverse serves this table converted, unless it is asked for the original.
            _dataverse(
                "HAM10000_metadata.csv", 4338392, "8f85fb1aa29d80a2797247e434deb79d", 690_218, "?format=original"
            ),
            _dataverse("HAM10000_images_part_1.zip", 3172585, "4639bfa73ab251610530a97c898e6e46", 1_366_522_108),
            _dataverse("HAM10000_images_part_2.zip", 3172584, "da43d6cc50f6613013be07e8986b384b", 1_403_566_547),
            _dataverse(
                "HAM10000_segmentations_lesion_tschandl.zip", 3838943, "6e8d252e09cfdb0189199f15985a5b84", 10_808_743
            ),
        ),
    ),
    Source(
        name="isic2016-task1",
        title="ISIC 2016 Task 1: 900 + 379 dermoscopic images with lesion masks",
        licence=_CC0,
        citation=_GUTMAN,
        page=f"{_ISIC_PAGE}#2016",
        files=_isic(
            2016,
            {
                "ISBI2016_ISIC_Part1_Training_Data.zip": 602 * _MB,
                "ISBI2016_ISIC_Part1_Training_GroundTruth.zip": 6 * _MB,
                "ISBI2016_ISIC_Part1_Test_Data.zip": 232 * _MB,
                "ISBI2016_ISIC_Part1_Test_GroundTruth.zip": 2 * _MB,
            },
        ),
    ),
    Source(
        name="isic2016-task3",
        title="ISIC 2016 Task 3: 900 + 379 dermoscopic images, malignant or not",
        licence=_CC0,
        citation=_GUTMAN,
        page=f"{_ISIC_PAGE}#2016",
        files=_isic(
            2016,
            {
                "ISBI2016_ISIC_Part3_Training_Data.zip": 602 * _MB,
                "ISBI2016_ISIC_Part3_Training_GroundTruth.csv": 19 * _KB,
                "ISBI2016_ISIC_Part3_Test_Data.zip": 232 * _MB,
                "ISBI2016_ISIC_Part3_Test_GroundTruth.csv": 7 * _KB,
            },
        ),
    ),
    Source(
        name="isic2017",
        title="ISIC 2017 Parts 1 and 3: 2,000 + 150 + 600 dermoscopic images, masks, three diagnoses",
        licence=_CC0,
        citation=_CODELLA_2017,
        page=f"{_ISIC_PAGE}#2017",
        files=_isic(
            2017,
            {
                "ISIC-2017_Training_Data.zip": 5_800 * _MB,
                "ISIC-2017_Training_Part1_GroundTruth.zip": 9 * _MB,
                "ISIC-2017_Training_Part3_GroundTruth.csv": 43 * _KB,
                "ISIC-2017_Validation_Data.zip": 878 * _MB,
                "ISIC-2017_Validation_Part1_GroundTruth.zip": 559 * _KB,
                "ISIC-2017_Validation_Part3_GroundTruth.csv": 3 * _KB,
                "ISIC-2017_Test_v2_Data.zip": 5_400 * _MB,
                "ISIC-2017_Test_v2_Part1_GroundTruth.zip": 18 * _MB,
                "ISIC-2017_Test_v2_Part3_GroundTruth.csv": 13 * _KB,
            },
        ),
    ),
    Source(
        name="isic2018-task1",
        title="ISIC 2018 Task 1: 2,594 + 100 + 1,000 dermoscopic images with lesion masks",
        licence=_MIXED,
        citation=f"{_CODELLA_2018}; {_TSCHANDL}",
        page=f"{_ISIC_PAGE}#2018",
        files=_isic(
            2018,
            {
                "ISIC2018_Task1-2_Training_Input.zip": 10_400 * _MB,
                "ISIC2018_Task1_Training_GroundTruth.zip": 26 * _MB,
                "ISIC2018_Task1-2_Validation_Input.zip": 228 * _MB,
                "ISIC2018_Task1_Validation_GroundTruth.zip": 742 * _KB,
                "ISIC2018_Task1-2_Test_Input.zip": 2_200 * _MB,
                "ISIC2018_Task1_Test_GroundTruth.zip": 0,
            },
        ),
    ),
    Source(
        name="isic2018-task3",
        title="ISIC 2018 Task 3: 10,015 + 193 + 1,512 dermoscopic images, seven diagnoses",
        licence=_BY_NC,
        citation=f"{_CODELLA_2018}; {_TSCHANDL}",
        page=f"{_ISIC_PAGE}#2018",
        files=_isic(
            2018,
            {
                "ISIC2018_Task3_Training_Input.zip": 2_600 * _MB,
                "ISIC2018_Task3_Training_GroundTruth.zip": 36 * _KB,
                "ISIC2018_Task3_Training_LesionGroupings.csv": 481 * _KB,
                "ISIC2018_Task3_Validation_Input.zip": 51 * _MB,
                "ISIC2018_Task3_Validation_GroundTruth.zip": 7 * _KB,
                "ISIC2018_Task3_Test_Input.zip": 401 * _MB,
                "ISIC2018_Task3_Test_GroundTruth.zip": 0,
            },
        ),
    ),
    Source(
        name="isic2019",
        title="ISIC 2019: 25,331 + 8,238 dermoscopic images, eight diagnoses and unknown",
        licence=_BY_NC,
        citation=f"{_TSCHANDL}; {_CODELLA_2017}; Hernández-Pérez et al., BCN20000: Dermoscopic lesions in the wild, "
        "Scientific Data 11:641, 2024",
        page=f"{_ISIC_PAGE}#2019",
        files=_isic(
            2019,
            {
                "ISIC_2019_Training_GroundTruth.csv": _MB,
                "ISIC_2019_Training_Metadata.csv": _MB,
                "ISIC_2019_Training_Input.zip": 9_100 * _MB,
                "ISIC_2019_Test_GroundTruth.csv": 454 * _KB,
                "ISIC_2019_Test_Metadata.csv": 287 * _KB,
                "ISIC_2019_Test_Input.zip": 3_600 * _MB,
            },
        ),
    ),
    Source(
        name="isic2020",
        title="ISIC 2020 (SIIM-ISIC): 33,126 + 10,982 dermoscopic images as JPEG, with patients",
        licence=_BY_NC,
        citation="International Skin Imaging Collaboration, SIIM-ISIC 2020 Challenge Dataset, doi:10.34970/2020-ds01; "
        "Rotemberg et al., Scientific Data 8:34, 2021, doi:10.1038/s41597-021-00815-z",
        page=f"{_ISIC_PAGE}#2020",
        files=_isic(
            2020,
            {
                "ISIC_2020_Training_GroundTruth_v2.csv": 2 * _MB,
                "ISIC_2020_Training_GroundTruth.csv": 2 * _MB,
                "ISIC_2020_Training_Duplicates.csv": 2 * _MB,
                "ISIC_2020_Training_JPEG.zip": 23 * _GB,
                "ISIC_2020_Test_Metadata.csv": 458 * _KB,
                "ISIC_2020_Test_JPEG.zip": 6_700 * _MB,
            },
        ),
    ),
    Source(
        name="dtd",
        title="Describable Textures Dataset: 5,640 photographs of 47 textures, none of skin",
        licence="for research purposes only, as its page says",
        citation="Cimpoi et al., Describing Textures in the Wild, CVPR 2014",
        page="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        files=(
            RemoteFile(
                name="dtd-r1.0.1.tar.gz",
                address="https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
                checksum="sha256:e42855a52a4950a3b59612834602aa253914755c95b0cff9ead6d07395f8e205",
                about_bytes=625_239_812,
            ),
        ),
    ),
)

SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _SOURCES})
"""The data sets, by name."""
