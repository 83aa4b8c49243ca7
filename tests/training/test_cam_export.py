"""What was trained answers the same without torch, alone and as an ensemble."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import dermoscope
from dermoscope.cli import main
from dermoscope.data.manifest import write_manifest
from dermoscope.images import decode, read_mask
from dermoscope.lesion_classifier import DESCRIPTION, LesionClassifier
from dermoscope.model_folder import BundleError, write_sums
from tests.training.test_cam_run import SPLITS, arguments, ensemble
from tests.training.tiny_crops import backbone_weights, diagnosed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks, their ensemble, and both exported."""
    folder = tmp_path_factory.mktemp("classifiers")
    write_manifest(diagnosed(folder / "images", SPLITS), folder / "manifest.csv")
    backbone_weights(folder / "backbone.safetensors")
    for seed in (1, 2):
        changes = ["--set", "crops.room=1.5", "--set", f"seed={seed}", "--quiet"]
        assert main(arguments(folder, "cam-binary", folder / f"member-{seed}", *changes)) == 0
    assert main(ensemble(folder, folder / "both", "--quiet")) == 0
    image = str(folder / "images" / "lesion_0.png")
    for run in ("member-1", "both"):
        assert main(["export", str(folder / run), "--out", str(folder / f"{run}-out"), "--images", image]) == 0
    return folder


@pytest.mark.parametrize("run", ["member-1", "both"])
def test_it_answers_as_in_training(world: Path, run: str) -> None:
    classifier = LesionClassifier(world / f"{run}-out", precision="float32")
    with (world / run / "predictions.csv").open(newline="") as stream:
        expected = {row["image_id"]: float(row["p_malignant"]) for row in csv.DictReader(stream)}
    assert len(expected) == 10
    for name, probability in expected.items():
        rgb = decode(world / "images" / f"{name}.png").rgb
        look = classifier.look(rgb, read_mask(world / "images" / f"{name}_mask.png"))
        assert look.classes == ("benign", "malignant")
        assert look.probabilities.sum() == pytest.approx(1)
        assert look.probabilities[1] == pytest.approx(probability, abs=1e-5)


def test_a_classifier_is_told_by_another_network_where_to_look(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "member-1-out", tmp_path / "again")
    path = tmp_path / "again" / DESCRIPTION
    about = json.loads(path.read_text())
    about["members"][0] |= {"crops": {"names": ["tight", "full", "look"]}, "look": {"threshold": 0.4}}
    path.write_text(json.dumps(about))
    write_sums(tmp_path / "again")
    with pytest.raises(BundleError, match="look: is for the networks of a bundle's mode"):
        LesionClassifier(tmp_path / "again")


def test_it_says_where_it_looks(world: Path) -> None:
    classifier = dermoscope.load_classifier(world / "both-out")
    rgb = decode(world / "images" / "lesion_3.png").rgb
    look = classifier.look(rgb, read_mask(world / "images" / "lesion_3_mask.png"))
    assert look.members.shape == (2, 3, 2)
    assert [maps.shape[:2] for maps in look.maps] == [(3, 2)] * 2
    assert [crops.shape for crops in look.crops] == [(3, 96, 96, 3)] * 2
    tight, full = (float(cv2.cvtColor(look.crops[0][place], cv2.COLOR_RGB2GRAY).mean()) for place in (0, 2))
    assert tight < full - 20  # the lesion is dark, and fills the tight crop
    without = classifier.look(rgb, None)
    np.testing.assert_array_equal(without.crops[0][0], without.crops[0][2])
    with pytest.raises(ValueError, match="one size"):
        classifier.look(rgb, np.zeros((3, 3), np.bool_))


def test_its_description_says_what_it_is(world: Path) -> None:
    description = LesionClassifier(world / "both-out").description
    assert (description.name, description.task, description.definition) == ("both", "malignancy", "not-nevus")
    assert [member.name for member in description.members] == ["member-1", "member-2"]
    assert description.ensemble.rule == "dempster-shafer"
    assert description.training_data == ("8 images of images",)
    assert {check.output for check in description.graph_checks} == {"logits", "cams", "feature"}
    for check in description.graph_checks:
        if "float32" in check.engine:
            assert check.largest_difference < 0.05 * max(check.scale, 0.1)


def test_what_is_damaged_is_refused(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(world / "both-out", folder)
    content = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(content | {"task": "chess"}))
    with pytest.raises(BundleError, match=r"classifier\.json does not match its sum"):
        LesionClassifier(folder)
    for change, message in (
        ({"members": content["members"][::-1]}, "not those of the ensemble"),
        ({"members": [{**m, "graph": "../x.onnx"} for m in content["members"]]}, "plain file name"),
        ({"members": [{**m, "graph": "x.onnx"} for m in content["members"]]}, "does not list the graph"),
        ({"schema_version": 9}, "schema_version"),
    ):
        (folder / DESCRIPTION).write_text(json.dumps(content | change))
        write_sums(folder)
        with pytest.raises(BundleError, match=message):
            LesionClassifier(folder)
    (folder / "network-1.onnx").unlink()
    with pytest.raises(BundleError, match=r"network-1\.onnx"):
        LesionClassifier(folder)


def test_export_says_what_it_cannot_do(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert main(["export", str(world / "both"), "--out", out, "--bundle", "x"]) == 2
    assert "--bundle: is for runs for masks" in capsys.readouterr().err
    broken = tmp_path / "broken"
    shutil.copytree(world / "member-1", broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    assert main(["export", str(broken), "--out", out]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert list(tmp_path.glob(".draft*")) == []
