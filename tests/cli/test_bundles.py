"""Bundles on the command line: shown, verified, listed and imported, by folder, by mode and by kept name."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from dermoscope.bundle import Bundle, named_bundle
from dermoscope.bundle_shelf import fetched_folder, keep_bundle
from dermoscope.cli import main
from dermoscope.engine import CACHE_VARIABLE
from dermoscope.model_folder import BundleError, write_sums
from tests.watch import REPOSITORY


@pytest.fixture(autouse=True)
def nobody_asks_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty shelf, and no way out."""

    def refused(*_: object) -> None:
        pytest.fail("somebody asked the network")

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def test_verify_the_shipped_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify"]) == 0
    shown = capsys.readouterr().out
    assert Bundle.default().fingerprint in shown
    assert "every file is as it was written" in shown


def test_verify_a_damaged_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(Bundle.default().folder, tmp_path / "bundle")
    with (tmp_path / "bundle" / "heads.onnx").open("ab") as stream:
        stream.write(b"x")
    assert main(["models", "verify", str(tmp_path / "bundle")]) == 1
    assert "heads.onnx does not match its sum" in capsys.readouterr().err


def test_verify_a_missing_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is not a bundle folder" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_verify_by_mode(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", mode]) == 0
    shown = capsys.readouterr().out
    assert Bundle.default().fingerprint in shown
    assert f"mode {mode} of best, fast" in shown


def test_show_prints_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show"]) == 0
    shown = capsys.readouterr().out
    bundle = Bundle.default()
    assert bundle.fingerprint in shown
    assert "not a medical device" in shown.lower()
    assert "mode best:" in shown


def test_show_gives_the_description_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == Bundle.default().fingerprint


def test_show_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", str(tmp_path / "none")]) == 1
    assert "is not a bundle folder" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "other"), [("fast", "best"), ("best", "fast")])
def test_show_a_mode_alone(mode: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", mode]) == 0
    shown = capsys.readouterr().out
    assert Bundle.default().description.modes[mode].meaning in " ".join(shown.split())
    assert f"mode {mode}:" in shown
    assert f"mode {other}" not in shown
    assert f"mode {mode} of best, fast" in shown


def test_show_a_mode_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "fast", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["mode"] == "fast"
    assert described["fingerprint"] == Bundle.default().fingerprint


@pytest.mark.parametrize("command", ["show", "verify"])
@pytest.mark.parametrize("name", ["ours", "someone/model", "someone/model@v2"])
def test_a_kept_bundle_goes_by_its_name(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = keep_bundle(Bundle.default().folder, name)
    assert main(["models", command, name]) == 0
    assert Bundle.default().fingerprint in capsys.readouterr().out
    (place / "heads.onnx").write_bytes(b"x")
    assert main(["models", command, name]) == 1
    assert "heads.onnx does not match its sum" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_is_not_kept_is_not_fetched(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", command, "someone/model"]) == 1
    assert "is not a bundle folder, and no bundle someone/model is kept here" in capsys.readouterr().err


def test_import_keeps_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "ours"
    shutil.copytree(Bundle.default().folder, source)
    assert main(["models", "import", str(source)]) == 0
    assert "--bundle ours" in capsys.readouterr().out
    assert main(["models", "import", str(source), "--name", "someone/model"]) == 0
    shutil.rmtree(source)
    for name in ("ours", "someone/model"):
        assert Bundle.load(Path(name)).fingerprint == Bundle.default().fingerprint
        assert Bundle.from_pretrained(name).fingerprint == Bundle.default().fingerprint
        assert named_bundle(name, "fast")[1] == "fast"


def test_import_refuses_what_is_no_whole_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "ours"
    shutil.copytree(Bundle.default().folder, source)
    (source / "bundle.json").write_text("{}")
    assert main(["models", "import", str(source)]) == 1
    assert "bundle.json does not match its sum" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_import_of_a_folder_whose_name_is_no_name_asks_for_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(Bundle.default().folder, tmp_path / "my bundle")
    assert main(["models", "import", str(tmp_path / "my bundle")]) == 1
    said = capsys.readouterr().err
    assert "'my bundle' cannot name a bundle" in said
    assert "--name" in said


def test_remove_takes_away_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    place = keep_bundle(Bundle.default().folder, "ours")
    assert main(["models", "remove", "ours"]) == 0
    assert f"ours: removed {place}" in capsys.readouterr().out
    assert not place.exists()
    assert main(["models", "remove", "ours"]) == 1
    assert "no bundle ours is kept here; dermoscope models list tells which are" in capsys.readouterr().err


def test_list_has_the_shipped_bundle_and_the_kept_ones(capsys: pytest.CaptureFixture[str]) -> None:
    default = Bundle.default()
    keep_bundle(default.folder, "someone/model@v2")
    shutil.copytree(default.folder, fetched_folder() / "someone--else@main")
    (keep_bundle(default.folder, "broken") / "bundle.json").write_text("{}")
    assert main(["models", "list"]) == 0
    rows = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    for name in ("in the package", "someone/model@v2  import", "someone/else      hub"):
        (row,) = (row for row in rows if row.startswith(name))
        assert default.name in row
        assert "best, fast" in row
        assert default.fingerprint in row
    assert "cannot be read" in next(row for row in rows if row.startswith("broken"))


def test_a_mode_of_the_shipped_bundle_is_meant_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, mode = named_bundle("fast")
    assert (bundle.fingerprint, mode) == (Bundle.default().fingerprint, "fast")
    assert named_bundle("fast", "fast")[1] == "fast"
    with pytest.raises(BundleError, match=r"fast is a mode of the bundle inside the package.*or \./fast for a folder"):
        named_bundle("fast", "best")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="fast is not a bundle folder"):
        named_bundle("./fast")


@pytest.fixture
def a_folder_named_like_a_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that only whoever looks into it can tell from the one inside the package."""
    folder = tmp_path / "fast"
    shutil.copytree(Bundle.default().folder, folder)
    (folder / "README.md").write_text("# Another\n")
    write_sums(folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_named_like_a_mode_is_meant_where_it_is_named_as_a_folder(a_folder_named_like_a_mode: Path) -> None:
    other = Bundle.load(a_folder_named_like_a_mode)
    names: tuple[str | Path, ...] = ("./fast", "fast/", Path("fast"), str(a_folder_named_like_a_mode))
    for name in names:
        bundle, mode = named_bundle(name)
        assert (bundle.fingerprint, mode) == (other.fingerprint, None)
        assert named_bundle(name, "best")[0].fingerprint == other.fingerprint
    assert named_bundle("fast")[0].fingerprint == Bundle.default().fingerprint != other.fingerprint


@pytest.mark.parametrize("command", ["show", "verify"])
def test_the_folder_that_was_looked_at_is_told(
    command: str, a_folder_named_like_a_mode: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Bundle.load(a_folder_named_like_a_mode)
    for name, folder, bundle in (("./fast", "fast", other), ("fast", Bundle.default().folder, Bundle.default())):
        assert main(["models", command, name]) == 0
        shown = capsys.readouterr().out
        assert bundle.fingerprint in shown
        assert re.search(rf"^(Looked at: )?{folder}\b", shown, re.MULTILINE)


@pytest.mark.parametrize("command", ["analyze", "segment"])
def test_every_command_takes_a_bundle_by_the_same_names(
    command: str, a_folder_named_like_a_mode: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_bundle(a_folder_named_like_a_mode, "ours")
    image = str(REPOSITORY / "examples" / "images" / "synthetic_pigment_network_light_skin.jpg")
    other = Bundle.load(a_folder_named_like_a_mode).fingerprint
    for name, fingerprint in (("fast", Bundle.default().fingerprint), ("./fast", other), ("ours", other)):
        assert main([command, image, "--out", "out", "--bundle", name, "--overwrite", "--quiet"]) == 0
        assert json.loads(Path("out", "run.json").read_text())["bundle"] == fingerprint
    assert main(["analyze", image, "--out", "x", "--bundle", "fast", "--mode", "best"]) == 1
    assert "fast is a mode of the bundle inside the package" in capsys.readouterr().err
