from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.evaluation.mask_files import score_mask_files
from dermoscope.evaluation.masks import mask_scores
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError, Problems
from dermoscope.evaluation.truth import Matched, match, read_truth
from dermoscope.images import ImageError, read_mask
from tests.evaluation.fake_runs import IMAGES, disc, image_id, result_rows, write_picture, write_table, write_world


@pytest.fixture
def world(tmp_path: Path) -> Matched:
    manifest, results = write_world(tmp_path)
    return match(read_predictions(results), read_truth(manifest))


def test_every_mask_is_scored(world: Matched) -> None:
    seen: list[tuple[int, int]] = []
    found = score_mask_files(world, None, "auto", Problems(), lambda done, total: seen.append((done, total)))
    assert found is not None
    assert len(found.scores) == IMAGES
    assert found.scores[1] == mask_scores(disc(1, 1) > 0, disc(1) > 0)
    assert found.scores[0].dice == 1
    assert seen[-1] == (IMAGES, IMAGES)


def test_an_image_without_a_predicted_mask_counts_as_empty(world: Matched, tmp_path: Path) -> None:
    rows = result_rows()
    rows[2]["mask"] = ""
    write_table(tmp_path / "results" / "results.csv", rows)
    again = match(read_predictions(tmp_path / "results"), read_truth(world.manifest))
    found = score_mask_files(again, None, "auto", Problems())
    assert found is not None
    assert (found.without_mask, found.scores[2].dice) == (1, 0)


@pytest.mark.parametrize("ending", ["", "_segmentation"])
def test_a_folder_of_masks(ending: str, world: Matched, tmp_path: Path) -> None:
    for number in range(IMAGES):
        write_picture(tmp_path / "mine" / f"{image_id(number)}{ending}.png", disc(number))
    found = score_mask_files(world, tmp_path / "mine", "jittered-box", Problems())
    assert found is not None
    assert all(score.dice == 1 for score in found.scores)


def test_problems_name_row_and_column(world: Matched, tmp_path: Path) -> None:
    masks = tmp_path / "results" / "masks"
    write_picture(masks / f"{image_id(0)}.png", np.zeros((20, 40), np.uint8))
    write_picture(masks / f"{image_id(1)}.png", disc(1) // 255)
    (masks / f"{image_id(2)}.png").unlink()
    (masks / f"{image_id(3)}.png").write_text("no picture")
    (tmp_path / "truth" / f"{image_id(4)}.png").unlink()
    problems = Problems()
    assert score_mask_files(world, None, "auto", problems) is None
    with pytest.raises(InputError) as caught:
        problems.check()
    lines = [str(problem) for problem in caught.value.problems]
    assert [(problem.row, problem.column) for problem in caught.value.problems] == [
        (2, "mask"),
        (3, "mask"),
        (4, "mask"),
        (5, "mask"),
        (6, "mask_path"),
    ]
    assert lines[0].startswith(f"{tmp_path / 'results' / 'results.csv'}, row 2, column mask: ")
    assert lines[0].endswith("is 40 × 20, the true mask 40 × 32; save it at the image's size")
    assert "has 1 as its largest value; write the lesion as 255" in lines[1]


def test_a_missing_file_in_a_folder(world: Matched, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    problems = Problems()
    assert score_mask_files(world, tmp_path / "mine", "auto", problems) is None
    assert problems.count == IMAGES


def test_read_mask(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.array([[0, 128, 129, 255]], np.uint8))
    assert read_mask(path).tolist() == [[False, False, True, True]]
    assert cv2.imwrite(str(path), np.zeros((3, 3), np.uint8))
    assert not read_mask(path).any()
    with pytest.raises(ImageError, match="does not exist"):
        read_mask(tmp_path / "none.png")
