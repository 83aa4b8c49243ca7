from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.given_prompts import GivenPrompt, match_prompts, read_prompts
from dermoscope.batch.inputs import BatchInput
from tests.batch.fake_analyzer import write_images

CSV = """image,x,y,label,left,top,right,bottom
a,210,180,1,,,,
a,20.5,25,0,,,,
b.jpg,,,,40,60,310,280
c,5,6,,1,2,30,40
"""
FOUND = {
    "a": GivenPrompt(((210, 180), (20.5, 25)), (1, 0)),
    "b.jpg": GivenPrompt(box=(40, 60, 310, 280)),
    "c": GivenPrompt(((5, 6),), (1,), (1, 2, 30, 40)),
}


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text(CSV)
    (tmp_path / "clicks.json").write_text(
        json.dumps(
            [
                {"image": "a", "points": [[210, 180], [20.5, 25]], "labels": [1, 0]},
                {"image": "b.jpg", "box": [40, 60, 310, 280]},
                {"image": "c", "points": [[5, 6]], "box": [1, 2, 30, 40]},
            ]
        )
    )
    assert read_prompts(tmp_path / "clicks.csv") == FOUND
    assert read_prompts(tmp_path / "clicks.json") == FOUND


def test_only_the_columns_that_are_used_need_be_there(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text("image,x,y\na,1,2\n")
    assert read_prompts(tmp_path / "clicks.csv") == {"a": GivenPrompt(((1, 2),), (1,))}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.csv", None, "gone.csv is no file"),
        ("clicks.txt", "image\n", "neither in .csv nor in .json"),
        ("clicks.csv", "picture,x,y\na,1,2\n", "the column image is missing; it has picture, x, y"),
        ("clicks.csv", "image,x,y\na,1,two\n", "row 2: y is 'two', no number"),
        ("clicks.csv", "image,x,y\na,1\n", "row 2"),
        ("clicks.csv", "image,x,y\na,1,\n", "row 2: y is '', no number"),
        ("clicks.csv", "image,x,y,label\na,1,2,3\n", "row 2: label is '3', expected 1 or 0"),
        ("clicks.csv", "image,x,y\na,,\n", "row 2: a has neither a click nor a box"),
        ("clicks.csv", "image,left,top,right,bottom\na,5,1,5,9\n", "row 2: the box 5,1,5,9 is empty"),
        ("clicks.csv", "image,left,top,right,bottom\na,1,1,5,9\na,1,1,6,9\n", "row 3: a has a second box"),
        ("clicks.csv", "image,left,top,right,bottom\na,1,1,inf,9\n", "row 2: the box 1,1,inf,9"),
        ("clicks.json", "[", "Invalid JSON"),
        ("clicks.json", '[{"image": "a", "dots": []}]', "0.dots"),
        ("clicks.json", '[{"image": "a", "points": [[1, 2]], "labels": []}]', "entry 1: 1 points need as many labels"),
        ("clicks.json", '[{"image": "a", "points": [[1, 2]], "labels": [7]}]', "entry 1: a label is 1 for lesion"),
        ("clicks.json", '[{"image": "a", "points": [[1, NaN]]}]', "clicks.json"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BatchUsageError) as caught:
        read_prompts(tmp_path / name)
    assert message in str(caught.value)
    assert str(caught.value).startswith("--prompts")


def test_images_are_named_by_id_by_file_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(Path("in"), 4)
    prompts = {
        "image-0000": GivenPrompt(box=(0, 0, 1, 1)),
        "image-0001.jpg": GivenPrompt(box=(0, 0, 2, 2)),
        "./in/image-0002.jpg": GivenPrompt(box=(0, 0, 3, 3)),
    }
    found = match_prompts(prompts, ["in", "in/image-0000.jpg"])
    assert found == {
        BatchInput(f"in/image-000{number}.jpg").location: prompt for number, prompt in enumerate(prompts.values())
    }


def test_an_unknown_image_and_one_of_many_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in "ab":
        write_images(Path("in", folder), 1)
    box = GivenPrompt(box=(0, 0, 1, 1))
    with pytest.raises(BatchUsageError, match=r"u0, u1, u2 and 2 more is none of the images"):
        match_prompts({f"u{number}": box for number in range(5)}, ["in"])
    with pytest.raises(BatchUsageError, match=r"image-0000 names several of the images, in/b/image-0000\.jpg"):
        match_prompts({"image-0000": box}, ["in"])
    assert len(match_prompts({"in/b/image-0000.jpg": box}, ["in"])) == 1
