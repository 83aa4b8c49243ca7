"""`dermoscope segment` with the shipped model on example images."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dermoscope.batch.segmentations import segment_batch
from dermoscope.cli import main
from dermoscope.segmenter import Segmenter, load_segmenter
from tests.watch import REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "images"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_segmenter(engine="openvino", precision="float32", threads=1)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two example images of lesions and one of bricks, below the working folder, small so that they are quick."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    folder.mkdir()
    for name in ("pigment_network_light_skin", "red_lagoons_light_skin", "not_skin_bricks"):
        with Image.open(EXAMPLES / f"synthetic_{name}.jpg") as image:
            image.resize((300, 225)).save(folder / f"{name}.png")
    return folder


def rows(out: str = "out") -> dict[str, dict[str, str]]:
    with Path(out, "segments.csv").open(encoding="utf-8", newline="") as stream:
        return {row["image_id"]: row for row in csv.DictReader(stream)}


def run(*arguments: str, out: str = "out") -> int:
    return main(["segment", *arguments, "--out", out, "--inference", "openvino", "--precision", "float32"])


def test_from_images_to_masks(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    Image.new("RGB", (1, 1)).save(photos / "dot.png")
    assert run("photos", "--pictures") == 3
    names = {path.name for path in Path("out").iterdir()}
    assert names == {"inputs.sqlite", "run.json", "segments.jsonl", "segments.csv", "coco.json", "masks", "pictures"}
    found = rows()
    done = ["not_skin_bricks", "pigment_network_light_skin", "red_lagoons_light_skin"]
    assert sorted(name for name, row in found.items() if row["status"] == "done") == done
    assert found["broken"]["reason"]
    assert "1 × 1" in found["dot"]["reason"] or "small" in found["dot"]["reason"], found["dot"]["reason"]
    for name in done[1:]:
        row = found[name]
        assert row["mask"] == f"masks/{name}.png"
        mask = cv2.imread(f"out/{row['mask']}", cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert mask.shape == (225, 300)
        assert set(np.unique(mask)) == {0, 255}
        assert float(row["area_fraction"]) == pytest.approx((mask > 0).mean())
        columns = np.flatnonzero((mask > 0).any(axis=0))
        assert (int(row["left"]), int(row["right"])) == (columns[0], columns[-1] + 1)
        assert 0 < float(row["confidence"]) < 1
        assert Path(f"out/pictures/{name}.png").is_file()
    assert found["not_skin_bricks"]["is_skin"] == "False"
    lines = [json.loads(line) for line in Path("out", "segments.jsonl").read_text().splitlines()]
    assert [line["image_id"] for line in lines] == ["broken", "dot", *done]
    assert lines[-1]["outline"]
    coco = json.loads(Path("out", "coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == [f"{name}.png" for name in done]
    text = capsys.readouterr().out
    for words in ("3  segmented", "2  failed", "photos/broken.jpg", "not skin", "Research use only"):
        assert words in text


def test_the_gate_leaves_out_what_is_no_skin(photos: Path) -> None:
    assert run("photos", "--gate", "--quiet") == 0
    found = rows()
    assert found["not_skin_bricks"]["mask"] == ""
    assert float(found["not_skin_bricks"]["p_skin"]) < 0.5
    assert found["red_lagoons_light_skin"]["mask"]
    assert not Path("out", "masks", "not_skin_bricks.png").exists()
    assert photos


def test_the_second_run_goes_on(photos: Path, segmenter: Segmenter) -> None:
    stop = threading.Event()
    first = segment_batch([photos], Path("out"), segmenter, stop=stop, on_progress=lambda _: stop.set())
    assert first.interrupted
    assert first.done == 1 or first.done == 2
    assert not Path("out", "coco.json").exists()
    second = segment_batch([photos], Path("out"), segmenter)
    assert (second.done, second.skipped, second.failed) == (3 - first.done, first.done, 0)
    assert len(json.loads(Path("out", "coco.json").read_text())["images"]) == 3
    assert len(rows()) == 3


def test_it_does_not_go_into_its_own_masks(photos: Path) -> None:
    assert run(".", "--pictures", "--quiet") == run(".", "--pictures", "--quiet") == 0
    assert main(["segment", ".", "--out", "again", "--quiet"]) == 0
    assert len(rows()) == len(rows("again")) == 3
    assert photos


def test_clicks_and_a_box_for_one_image(photos: Path) -> None:
    image = str(photos / "red_lagoons_light_skin.png")
    assert run(image, "--box", "60,40,240,190", "--point", "150,112", "--point=20,20,0", "--quiet") == 0
    (row,) = rows().values()
    assert row["prompt"] in ("box and clicks", "")
    # Another prompt is another run.
    assert run(image, "--quiet") == 2
    assert run(image, "--quiet", "--overwrite") == 0


def test_a_prompts_file(photos: Path) -> None:
    Path("clicks.csv").write_text(
        "image,x,y,label,left,top,right,bottom\nred_lagoons_light_skin,,,,60,40,240,190\nnot_skin_bricks.png,900,5,1,,,,\n"
    )
    assert run(str(photos), "--prompts", "clicks.csv", "--quiet") == 3
    found = rows()
    assert found["red_lagoons_light_skin"]["prompt"] == "box"
    assert found["pigment_network_light_skin"]["prompt"] == "no prompt"
    reason = found["not_skin_bricks"]["reason"]
    assert reason == "the click 900,5 lies outside the image; x goes from 0 to 299, y from 0 to 224"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", "--point", "5,5"], "--point and --box are for a single image; give clicks for many with --prompts"),
        (["photos/not_skin_bricks.png", "--point", "5"], "--point 5: expected x,y or x,y,label in pixels"),
        (["photos/not_skin_bricks.png", "--point", "5,6,2"], "the label is 1 on the lesion or 0 on the background"),
        (["photos/not_skin_bricks.png", "--point", "5,x"], "--point 5,x: expected"),
        (["photos/not_skin_bricks.png", "--box", "90,10,20,60"], "--box 90,10,20,60: the box 90,10,20,60 is empty"),
        (["photos/not_skin_bricks.png", "--box", "1,2,3"], "--box 1,2,3: expected left,top,right,bottom"),
        (["photos", "--prompts", "unknown.csv"], "nobody is none of the images"),
        (["photos", "--prompts", "gone.csv"], "--prompts gone.csv is no file"),
        (["photos/not_skin_bricks.png", "--prompts", "unknown.csv", "--point", "1,2"], "goes with neither"),
        (["photos/*.gif"], "matches nothing"),
        (["photos", "--pieces", "many"], "--pieces"),
        (["photos", "--jobs", "0"], "jobs must be at least 1"),
    ],
)
def test_wrong_usage(photos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    Path("unknown.csv").write_text("image,x,y\nnobody,1,2\n")
    assert run(*arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not Path("out").exists()
    assert photos


def test_it_does_not_go_on_in_results_of_analyze(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(photos), "--out", "out", "--quiet", "--no-pictures"]) == 0
    assert run(str(photos), "--quiet") == 2
    assert "option task None, now 'segment'" in capsys.readouterr().err
    assert run(str(photos), "--quiet", "--overwrite") == 0
    assert not {path.name for path in Path("out").iterdir()} & {"results.csv", "results.jsonl", "report.html"}
    assert main(["analyze", str(photos), "--out", "out", "--quiet", "--no-pictures"]) == 2


def test_large_images_are_refused(photos: Path) -> None:
    assert run(str(photos), "--max-pixels", "1000", "--quiet") == 3
    assert {row["status"] for row in rows().values()} == {"failed"}
    assert all("1,000" in row["reason"] for row in rows().values())


def test_json_summary(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(photos / "not_skin_bricks.png"), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["totals"]["images"], summary["exit_code"]) == (1, 1, 0)
    assert summary["coco"] == str(Path("out", "coco.json"))


def test_a_damaged_bundle_and_its_way_out(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(photos), "--bundle", "nowhere") == 1
    assert "nowhere is not a bundle folder" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("dermoscope segment photos --out masks", "--point 210,180 --point 20,25,0", "3 done but some inputs"):
        assert words in text
