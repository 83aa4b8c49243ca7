"""A bundle comes from strangers: whatever is wrong with it is found on loading, and the file is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dermoscope import taxonomy
from dermoscope.bundle import Bundle
from dermoscope.bundle_shelf import MODES
from dermoscope.model_folder import SUMS, BundleError, fingerprint_of, write_sums

DEFAULT = Bundle.default()
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped bundle with small stand-ins for its graphs, which loading does not open."""
    copy = tmp_path / "bundle"
    copy.mkdir()
    shutil.copy(DEFAULT.folder / "bundle.json", copy)
    for name in (*DEFAULT.description.graphs, "README.md"):
        (copy / name).write_bytes(name.encode() * 10)
    write_sums(copy)
    return copy


def edit(folder: Path, change: Change) -> None:
    description = json.loads((folder / "bundle.json").read_text())
    change(description)
    (folder / "bundle.json").write_text(json.dumps(description))
    write_sums(folder)


def test_a_sound_bundle_loads(folder: Path) -> None:
    bundle = Bundle.load(folder)
    assert bundle.description == DEFAULT.description
    assert bundle.folder == folder
    assert bundle.name == "dermoscope-default 0.4.1"
    assert bundle.graph_path(bundle.description.decoder) == folder / "decoder.onnx"
    assert bundle.size_bytes == sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    "name", ["encoder.onnx", "decoder.onnx", "mask_network.onnx", "gate.onnx", "heads.onnx", "bundle.json", "README.md"]
)
def test_a_flipped_byte_is_found(name: str, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} does not match its sum in SHA256SUMS"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "name",
    ["encoder.onnx", "decoder.onnx", "mask_network.onnx", "gate.onnx", "heads.onnx", "bundle.json", "README.md", SUMS],
)
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name} is missing from the bundle"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "name", ["encoder.onnx", "decoder.onnx", "mask_network.onnx", "gate.onnx", "heads.onnx", "bundle.json"]
)
def test_a_file_without_a_sum_is_named(name: str, folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines()
    (folder / SUMS).write_text("\n".join(line for line in lines if not line.endswith(name)))
    with pytest.raises(BundleError, match=rf"SHA256SUMS does not list .*{name}"):
        Bundle.load(folder)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_folder_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=f"{kind} is not a bundle folder"):
        Bundle.load(tmp_path / kind)


def wrong_calibration(description: dict[str, Any]) -> None:
    description["gate"]["head"]["calibration"]["temperature"] = 0


@pytest.mark.parametrize(
    ("change", "where"),
    [
        pytest.param(lambda d: d.update(schema_version=2), "schema_version", id="unknown schema"),
        pytest.param(lambda d: d.pop("schema_version"), "schema_version", id="no schema"),
        pytest.param(lambda d: d.update(extra=1), "extra", id="extra field"),
        pytest.param(lambda d: d["heads"].update(more={}), r"heads\.more", id="extra field inside"),
        pytest.param(lambda d: d["encoder"]["input"].update(fit="crop"), r"encoder\.input\.fit", id="unknown fit"),
        pytest.param(lambda d: d["decoder"]["rules"].update(x=1), r"decoder\.rules", id="unknown rule"),
        pytest.param(wrong_calibration, r"gate\.head\.calibration\.temperature", id="temperature"),
        pytest.param(lambda d: d["gate"]["point"].update(threshold=1.5), "threshold", id="threshold"),
        pytest.param(lambda d: d["encoder"].update(graph="../encoder.onnx"), r"encoder\.graph", id="graph above"),
        pytest.param(lambda d: d["encoder"].update(graph="/etc/passwd"), r"encoder\.graph", id="absolute graph"),
        pytest.param(lambda d: d["heads"].update(graph="a/heads.onnx"), r"heads\.graph", id="graph below"),
        pytest.param(lambda d: d["heads"].update(graph="..\\heads.onnx"), r"heads\.graph", id="backslash"),
        pytest.param(lambda d: d["heads"].update(graph=".."), r"heads\.graph", id="dots"),
        pytest.param(lambda d: d["heads"].update(graph=""), r"heads\.graph", id="empty name"),
        pytest.param(lambda d: d["gate"]["head"]["classes"].append("x"), r"gate\.head", id="one class too many"),
        pytest.param(
            lambda d: d["heads"].update(malignancy_definition="viennese"), "viennese", id="malignancy definition"
        ),
        pytest.param(lambda d: d["heads"]["group"]["frequencies"].pop(), r"heads\.group", id="a frequency short"),
        pytest.param(lambda d: d["heads"]["group"]["calibration"].update(bias=[0]), r"heads\.group", id="bias short"),
    ],
)
def test_a_wrong_description_names_file_and_field(change: Change, where: str, folder: Path) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=rf"bundle\.json: .*{where}"):
        Bundle.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}"], ids=repr)
def test_no_json_at_all(content: bytes, folder: Path) -> None:
    (folder / "bundle.json").write_bytes(content)
    write_sums(folder)
    with pytest.raises(BundleError, match=r"bundle\.json: "):
        Bundle.load(folder)


def test_an_oversized_description_is_not_read(folder: Path) -> None:
    with (folder / "bundle.json").open("ab") as stream:
        stream.write(b" " * 2**22)
    write_sums(folder)
    with pytest.raises(BundleError, match=r"bundle\.json is larger than 4194304 bytes"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "line",
    [
        "0" * 64 + "  ../secret",
        "0" * 64 + "  /etc/passwd",
        "0" * 64 + "  a/b",
        "0" * 64 + "  ..",
        "0" * 64 + "  .hidden",
        "0" * 64 + "  a\\b",
        "0" * 63 + "  short.onnx",
        "G" * 64 + "  encoder.onnx",
        "0" * 64,
        "hello",
        "\x00",
    ],
)
def test_a_wrong_line_of_sums_is_named(line: str, folder: Path) -> None:
    before = (folder / SUMS).read_text()
    (folder / SUMS).write_text(before + line + "\n")
    with pytest.raises(BundleError, match=rf"SHA256SUMS, line {len(before.splitlines()) + 1}: "):
        Bundle.load(folder)


def test_sums_that_are_no_text(folder: Path) -> None:
    (folder / SUMS).write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(BundleError, match="SHA256SUMS"):
        Bundle.load(folder)


def test_no_sums_at_all(folder: Path) -> None:
    (folder / SUMS).write_text("")
    with pytest.raises(BundleError, match=r"SHA256SUMS does not list bundle\.json"):
        Bundle.load(folder)


def test_the_fingerprint_follows_every_file(folder: Path) -> None:
    before = Bundle.load(folder).fingerprint
    assert len(before) == 16
    (folder / "README.md").write_text("another card")
    write_sums(folder)
    assert Bundle.load(folder).fingerprint != before


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    assert fingerprint_of({"a": "1", "b": "2"}) == fingerprint_of({"b": "2", "a": "1"})
    assert fingerprint_of({"a": "1", "b": "2"}) != fingerprint_of({"a": "2", "b": "1"})


def test_describe_is_plain_json() -> None:
    described = DEFAULT.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["fingerprint"] == DEFAULT.fingerprint
    assert described["size_bytes"] == DEFAULT.size_bytes


def test_a_description_says_what_holds_for_who_answers() -> None:
    name, mode = DEFAULT.mode()
    assert mode is not None
    changes: dict[str, object] = {"modes": {}, "familiarity": None}
    heads = Bundle(DEFAULT.folder, DEFAULT.description.model_copy(update=changes), "")
    assert heads.describe()["malignant_share"] == heads.description.heads.malignancy.frequencies[1]
    assert "mode" not in heads.describe()
    assert DEFAULT.describe() == DEFAULT.describe(name)
    shares = dict(zip(mode.fusion.classes, mode.frequencies, strict=True))
    described = DEFAULT.describe(name)
    assert described["mode"] == name
    assert described["malignant_share"] == pytest.approx(shares["MEL"] + shares["BCC"] + shares["AKIEC"])
    assert described["malignant_share"] != heads.describe()["malignant_share"]


@pytest.mark.parametrize("mode", ["best", "fast"])
def test_the_shipped_bundle_has_both_modes(mode: str) -> None:
    assert tuple(DEFAULT.description.modes) == MODES[::-1]
    name, part = DEFAULT.mode(mode)
    assert name == mode
    assert part
    assert part.malignancy_point in part.malignancy_points.values()


def test_another_operating_point_changes_the_threshold_of_one_mode_alone() -> None:
    name = "malignancy (graz), sensitivity 0.90"
    changed = DEFAULT.at_operating_point(name, "fast")
    assert changed.fingerprint == DEFAULT.fingerprint
    (_, before), (_, after) = DEFAULT.mode("fast"), changed.mode("fast")
    assert before
    assert after
    assert after.malignancy_point == before.points[name]
    assert after.malignancy_point.threshold > before.malignancy_point.threshold
    assert after.model_copy(update={"malignancy_point": before.malignancy_point}) == before
    assert changed.mode("best") == DEFAULT.mode("best")
    assert changed.describe("fast")["modes"]["fast"]["malignancy_point"]["threshold"] == before.points[name].threshold
    assert DEFAULT.at_operating_point(name).mode() != DEFAULT.mode(), "the first mode, where nobody names one"
    assert changed.operating_point("fast") == name != changed.operating_point() == DEFAULT.operating_point("fast")
    again = changed.at_operating_point(str(DEFAULT.operating_point("fast")), "fast")
    assert again == DEFAULT != changed
    assert len({again, DEFAULT, changed}) == 2


@pytest.mark.parametrize("name", ["sensitivity 0.80", "", "melanoma, sensitivity 0.90"])
def test_an_unknown_operating_point_is_refused_with_those_there_are(name: str) -> None:
    _, mode = DEFAULT.mode("fast")
    assert mode
    with pytest.raises(BundleError) as refused:
        DEFAULT.at_operating_point(name, "fast")
    known = str(refused.value).rpartition("it has: ")[2].split("; ")
    assert known == ["malignancy (graz), sensitivity 0.90", "malignancy (graz), sensitivity 0.95"]
    heads = Bundle(DEFAULT.folder, DEFAULT.description.model_copy(update={"modes": {}}), "")
    with pytest.raises(BundleError, match="it has: none"):
        heads.at_operating_point(name)


def test_the_shipped_bundle_is_small() -> None:
    assert DEFAULT.size_bytes <= 64_000_000


@pytest.mark.parametrize(
    "name", ["encoder.onnx", "decoder.onnx", "mask_network.onnx", "gate.onnx", "heads.onnx", "bundle.json", "README.md"]
)
def test_the_shipped_bundle_tells_nothing_about_the_machine(name: str) -> None:
    content = (DEFAULT.folder / name).read_bytes()
    for trace in (b"/work", b"/home/", b"/root/", b"site-packages", b"Traceback", b"stack_trace"):
        assert trace not in content, trace


def test_the_shipped_model_abstains_as_it_always_did() -> None:
    assert DEFAULT.description.abstention is None
    assert DEFAULT.description.heads.diagnosis.conformal is None


def test_the_shipped_classes_are_those_of_the_taxonomy() -> None:
    heads = DEFAULT.description.heads
    assert DEFAULT.description.gate.head.classes == ("not skin", "skin")
    assert heads.group
    assert heads.group.classes == taxonomy.GROUPS
    assert heads.diagnosis.classes == taxonomy.HAM10000_CODES
    assert heads.malignancy.classes == ("benign", "malignant")
    assert "MEL" in taxonomy.malignancy_definition(heads.malignancy_definition).malignant
