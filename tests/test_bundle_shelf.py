"""Bundles are kept whole, under names that cannot lead elsewhere, and are never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.bundle_parts import DESCRIPTION
from dermoscope.bundle_shelf import bundle_folder, keep_bundle, kept_bundle, kept_bundles, partial_of, place_of
from dermoscope.engine import CACHE_VARIABLE
from dermoscope.model_folder import SUMS, BundleError, write_sums

SECRET = "not of the bundle"


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a bundle is to the shelf, with a file beside it that is not listed."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / DESCRIPTION).write_text("{}")
    (folder / "heads.onnx").write_bytes(b"graph")
    write_sums(folder)
    (folder / "notes.txt").write_text(SECRET)
    return folder


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ours", "ours"),
        ("our-model_2.0", "our-model_2.0"),
        ("someone/model", "someone--model@main"),
        ("someone/my-model@v1.0", "someone--my-model@v1.0"),
    ],
)
def test_what_is_kept_is_found_under_its_name(name: str, place: str, source: Path, shelf: Path) -> None:
    assert kept_bundle(name) is None
    assert keep_bundle(source, name) == shelf / place
    assert kept_bundle(name) == bundle_folder(Path(name)) == shelf / place
    assert kept_bundles() == {name: shelf / place}
    assert {path.name for path in (shelf / place).iterdir()} == {SUMS, DESCRIPTION, "heads.onnx"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../up",
        "/etc",
        "a/b/c",
        "a--b",
        "a--b/c",
        "a..b",
        "-x",
        "a/",
        "a@v1",
        "a/b@",
        "a/b@../c",
        "a/b@c/d",
        "fast",
        "best",
        "ours.partial",
        "a/b@v1.partial",
        "ours\n",
        "a b",
        "naïve",
    ],
)
def test_other_names_are_refused(name: str, source: Path, shelf: Path) -> None:
    assert place_of(name) is None
    with pytest.raises(BundleError, match="cannot name a bundle"):
        keep_bundle(source, name)
    assert not shelf.exists()


def test_a_name_is_never_given_to_another_bundle(source: Path) -> None:
    place = keep_bundle(source, "ours")
    assert keep_bundle(source, "ours") == place
    (source / "heads.onnx").write_bytes(b"another")
    write_sums(source)
    with pytest.raises(BundleError, match="ours is the name of another bundle already"):
        keep_bundle(source, "ours")
    assert (place / "heads.onnx").read_bytes() == b"graph"


@pytest.mark.parametrize("damage", ["changed", "missing", "outside"])
def test_what_is_damaged_is_not_kept(damage: str, source: Path, shelf: Path) -> None:
    if damage == "changed":
        (source / "heads.onnx").write_bytes(b"x")
    elif damage == "missing":
        (source / "heads.onnx").unlink()
    else:
        (source.parent / "secret").write_text(SECRET)
        with (source / SUMS).open("a") as stream:
            stream.write(f"{'0' * 64}  ../secret\n")
    with pytest.raises(BundleError):
        keep_bundle(source, "ours")
    assert kept_bundles() == {}
    assert not shelf.exists() or not list(shelf.iterdir())


def test_what_is_still_coming_is_not_kept_yet(source: Path, shelf: Path) -> None:
    coming = partial_of(shelf / "someone--model@main")
    source.rename(shelf.parent.parent / "moved")
    shelf.mkdir(parents=True)
    (shelf.parent.parent / "moved").rename(coming)
    assert kept_bundles() == {}
    assert kept_bundle("someone/model") is None


def test_a_folder_goes_before_a_name(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_bundle(source, "ours")
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path)
    assert bundle_folder(Path("ours")) == Path("ours")
