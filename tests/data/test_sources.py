from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.data.remote import DownloadError, Source
from dermoscope.data.sources import SOURCES, read_registry

SUM = "sha256:" + "0" * 64
OWN = {
    "name": "own",
    "title": "Own images",
    "licence": "ours",
    "citation": "",
    "page": "https://example.org",
    "files": [{"name": "own.zip", "address": "https://example.org/own.zip", "checksum": SUM}],
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_every_known_source_is_complete(source: Source) -> None:
    names = [file.name for file in source.files]
    assert len(names) == len(set(names))
    assert source.citation
    assert source.page.startswith("https://")
    assert all(file.address.startswith("https://") for file in source.files)


def test_sums_stand_only_where_the_publisher_or_a_library_gives_them() -> None:
    with_sums = {file.name for source in SOURCES.values() for file in source.files if file.checksum}
    assert {name.partition("_")[0] for name in with_sums} == {"HAM10000", "dtd-r1.0.1.tar.gz"}


def test_a_registry_adds_data_sets_and_sums(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_text(json.dumps({"sources": [OWN], "checksums": {"ISIC_2019_Test_Input.zip": SUM}}))
    known = read_registry(path)
    assert set(known) == {*SOURCES, "own"}
    assert known["own"].files[0].checksum == SUM
    assert {file.name for file in known["isic2019"].files if file.checksum} == {"ISIC_2019_Test_Input.zip"}
    assert not any(file.checksum for file in SOURCES["isic2019"].files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "valid dictionary"),
        ('{"bogus": 1}', "bogus: Extra inputs"),
        ('{"checksums": {"nobody.zip": "' + SUM + '"}}', r"no data set has a file named nobody\.zip"),
        ('{"checksums": {"ISIC_2019_Test_Input.zip": "sha256:12"}}', r"checksums\.ISIC_2019_Test_Input\.zip: String"),
        (json.dumps({"sources": [{**OWN, "files": []}]}), r"sources\.0\.files"),
        (json.dumps({"sources": [{**OWN, "licence": ""}]}), r"sources\.0\.licence"),
        (
            json.dumps({"sources": [{**OWN, "files": [{"name": "a", "address": "http://example.org/a"}]}]}),
            "starts with https",
        ),
    ],
)
def test_bad_registries_name_file_and_key(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_text(content)
    with pytest.raises(DownloadError, match=message) as caught:
        read_registry(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_registry_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"nowhere\.json: cannot be read"):
        read_registry(tmp_path / "nowhere.json")
