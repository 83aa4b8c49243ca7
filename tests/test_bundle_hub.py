"""Bundles come from a hub that runs on this very computer: whole, verified, and once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import dermoscope
from dermoscope import bundle_hub
from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.engine import CACHE_VARIABLE
from dermoscope.model_folder import SUMS, BundleError, write_sums
from tests.hub import Hub

REPOSITORY = "someone/model"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A bundle as somebody has put it on the hub, with a file that no bundle needs beside it."""
    folder = tmp_path / "published"
    shutil.copytree(Bundle.default().folder, folder)
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n")
    return folder


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with Hub(REPOSITORY, published).running() as hub:
        yield hub


def test_it_comes_whole_and_once(hub: Hub) -> None:
    bundle = Bundle.from_pretrained(REPOSITORY, endpoint=hub.address)
    assert bundle.fingerprint == Bundle.default().fingerprint
    listed = {line.split()[1] for line in (bundle.folder / SUMS).read_text().splitlines()}
    assert {path.name for path in bundle.folder.iterdir()} == {*listed, SUMS}
    assert {path.rpartition("/")[2] for path in hub.asked} == {*listed, SUMS}
    assert not hub.credentials
    hub.asked.clear()
    again = dermoscope.Bundle.from_pretrained(REPOSITORY, endpoint=hub.address, fingerprint=bundle.fingerprint)
    assert again.folder == bundle.folder
    assert not hub.asked


def test_a_folder_needs_no_hub(published: Path) -> None:
    assert Bundle.from_pretrained(published).folder == published


def test_another_fingerprint_is_refused(hub: Hub) -> None:
    with pytest.raises(BundleError, match=r"has the fingerprint .*, not 0000"):
        Bundle.from_pretrained(REPOSITORY, endpoint=hub.address, fingerprint="0000")


def test_what_came_damaged_is_thrown_away(hub: Hub, published: Path, tmp_path: Path) -> None:
    with (published / "gate.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(BundleError, match=r"came damaged .*gate\.onnx"):
        Bundle.from_pretrained(REPOSITORY, endpoint=hub.address)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_list_that_leads_outside_is_refused(hub: Hub, published: Path) -> None:
    with (published / SUMS).open("a") as stream:
        stream.write(f"{'0' * 64}  ../outside\n")
    with pytest.raises(BundleError, match="plain file name"):
        Bundle.from_pretrained(REPOSITORY, endpoint=hub.address)
    assert not [path for path in hub.asked if "outside" in path]


def test_a_file_that_is_not_there_is_named(hub: Hub, published: Path) -> None:
    (published / "heads.onnx").unlink()
    with pytest.raises(BundleError, match=r"does not give someone/model"):
        Bundle.from_pretrained(REPOSITORY, endpoint=hub.address)


def test_too_large_a_bundle_is_not_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_hub, "LARGEST_BUNDLE", 1000)
    with pytest.raises(BundleError, match="more than any bundle"):
        Bundle.from_pretrained(REPOSITORY, endpoint=hub.address)


def test_offline_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda _: None)  # between one try and the next
    with pytest.raises(BundleError, match="are you offline"):
        Bundle.from_pretrained(REPOSITORY, endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["model", "../up", "a/b/c", "/etc/passwd", "owner/na me", "-x/y"])
def test_a_name_that_is_neither_folder_nor_repository_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="neither a folder nor a repository"):
        Bundle.from_pretrained(name)


def test_the_command_fetches_into_a_folder(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle_hub, "fetch_bundle", partial(bundle_hub.fetch_bundle, endpoint=hub.address))
    out = tmp_path / "mine"
    assert main(["models", "fetch", REPOSITORY, "--out", str(out)]) == 0
    assert Bundle.load(out).fingerprint in capsys.readouterr().out
    write_sums(out)
    assert main(["models", "fetch", REPOSITORY, "--out", str(out)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_the_command_says_what_went_wrong(
    hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_hub, "fetch_bundle", partial(bundle_hub.fetch_bundle, endpoint=hub.address))
    assert main(["models", "fetch", "someone/other", "--out", str(tmp_path / "x")]) == 1
    assert "someone/other" in capsys.readouterr().err
