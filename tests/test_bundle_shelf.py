"""Bundles are kept whole, under names that cannot lead elsewhere, until somebody removes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermoscope.bundle_parts import DESCRIPTION
from dermoscope.bundle_shelf import (
    bundle_folder,
    fetched_folder,
    folder_name,
    keep_bundle,
    kept_bundle,
    kept_bundles,
    partial_of,
    remove_bundle,
)
from dermoscope.engine import CACHE_VARIABLE
from dermoscope.model_folder import SUMS, BundleError, write_sums

SECRET = "not of the bundle"


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "dermoscope" / "bundles"


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
    assert folder_name(name) is None
    with pytest.raises(BundleError, match=r"cannot name a bundle.*--name"):
        keep_bundle(source, name)
    assert not shelf.exists()


def test_a_name_is_never_given_to_another_bundle(source: Path) -> None:
    place = keep_bundle(source, "ours")
    assert keep_bundle(source, "ours") == place
    (source / "heads.onnx").write_bytes(b"another")
    write_sums(source)
    with pytest.raises(BundleError, match=r"ours is the name of another bundle already.* models remove ours"):
        keep_bundle(source, "ours")
    assert (place / "heads.onnx").read_bytes() == b"graph"
    (place / "heads.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"ours is kept already, but damaged .*heads\.onnx.* models remove ours"):
        keep_bundle(source, "ours")
    remove_bundle("ours")
    assert (keep_bundle(source, "ours") / "heads.onnx").read_bytes() == b"another"


def fetched(source: Path, name: str) -> Path:
    """As if the model hub had given it."""
    place = fetched_folder() / str(folder_name(name))
    shutil.copytree(source, place)
    return place


def test_what_was_imported_outlives_the_cache(source: Path, shelf: Path, tmp_path: Path) -> None:
    cached = fetched(source, "someone/model")
    assert kept_bundle("someone/model") == cached
    assert kept_bundles() == {"someone/model": cached}
    place = keep_bundle(source, "someone/model")
    assert place == shelf / "someone--model@main"
    assert kept_bundle("someone/model") == place
    shutil.rmtree(tmp_path / "cache")
    assert kept_bundles() == {"someone/model": place}


def test_the_name_of_what_was_fetched_is_taken_too(source: Path, shelf: Path) -> None:
    fetched(source, "someone/model")
    (source / "heads.onnx").write_bytes(b"another")
    write_sums(source)
    with pytest.raises(BundleError, match="someone/model is the name of another bundle already"):
        keep_bundle(source, "someone/model")
    assert not shelf.exists()


def test_removing_takes_both_and_nothing_else(source: Path, shelf: Path) -> None:
    cached = fetched(source, "someone/model")
    place = keep_bundle(source, "someone/model")
    others = [fetched(source, "someone/model@v2"), keep_bundle(source, "ours")]
    assert remove_bundle("someone/model") == (place, cached)
    assert sorted([*cached.parent.iterdir(), *shelf.iterdir()]) == sorted(others)
    with pytest.raises(BundleError, match="no bundle someone/model is kept here"):
        remove_bundle("someone/model")


@pytest.mark.parametrize("name", ["", ".", "..", "../../source", "fast", "none", "someone/none", "{source}", "ours/"])
def test_what_is_not_on_the_shelf_is_not_removed(name: str, source: Path) -> None:
    place = keep_bundle(source, "ours")
    with pytest.raises(BundleError, match="is kept here; dermoscope models list"):
        remove_bundle(name.format(source=source))
    assert place.is_dir()
    assert (source / "notes.txt").is_file()


def test_where_a_link_leads_nothing_is_removed(source: Path, shelf: Path) -> None:
    shelf.mkdir(parents=True)
    (shelf / "ours").symlink_to(source)
    assert remove_bundle("ours") == (shelf / "ours",)
    assert not list(shelf.iterdir())
    assert (source / "notes.txt").is_file()


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
    shelf.mkdir(parents=True)
    source.rename(coming)
    assert kept_bundles() == {}
    assert kept_bundle("someone/model") is None


def test_a_folder_goes_before_a_name(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_bundle(source, "ours")
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path)
    assert bundle_folder(Path("ours")) == Path("ours")
