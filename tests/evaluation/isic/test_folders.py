from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermoscope.evaluation.isic import SEGMENTATION_TASKS, read_mask_pairs, score_masks
from dermoscope.images import ImageError


def save(path: Path, mask: NDArray[np.uint8]) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask).save(path)


def mask(lesion: int, size: int = 20) -> NDArray[np.uint8]:
    return np.repeat(np.where(np.arange(size) < lesion, 255, 0)[None], 5, axis=0).astype(np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    truth, predicted = tmp_path / "truth", tmp_path / "predicted"
    save(truth / "ISIC_0000002_segmentation.png", mask(10))
    save(truth / "ISIC_0000001_segmentation.png", mask(20))
    (truth / "LICENSE.txt").write_text("CC-0")
    save(predicted / "ISIC_0000001_prediction.png", mask(13))
    save(predicted / "my_0000002.bmp", mask(10))
    save(predicted / "ISIC_0000003.png", mask(1))
    return truth, predicted


def test_files_are_paired_by_number(folders: tuple[Path, Path]) -> None:
    pairs = list(read_mask_pairs(*folders))
    assert [pair.image_id for pair in pairs] == ["ISIC_0000001", "ISIC_0000002"]
    assert score_masks(SEGMENTATION_TASKS["isic2018-task1"], pairs).overall == pytest.approx((0.65 + 1) / 2, abs=1e-9)


def test_one_bit_masks_are_masks(folders: tuple[Path, Path]) -> None:
    truth, predicted = folders
    Image.fromarray(mask(13) > 0).save(predicted / "ISIC_0000001_prediction.png")
    assert next(read_mask_pairs(truth, predicted)).predicted.tolist() == mask(13).tolist()


def test_missing_and_double_predictions(folders: tuple[Path, Path]) -> None:
    truth, predicted = folders
    save(predicted / "again_0000001.png", mask(1))
    with pytest.raises(ImageError, match=r"0000001_segmentation.png needs one .*found ISIC_0000001_.*, again_0000001"):
        list(read_mask_pairs(truth, predicted))
    for path in predicted.glob("*0000001*"):
        path.unlink()
    with pytest.raises(ImageError, match=r"ISIC_0000001_segmentation.png needs one predicted mask in .*found none"):
        list(read_mask_pairs(truth, predicted))


def test_masks_of_another_size(folders: tuple[Path, Path]) -> None:
    truth, predicted = folders
    save(predicted / "my_0000002.bmp", mask(10, size=21))
    with pytest.raises(ImageError, match=r"my_0000002.bmp is 21 × 5, the true mask is 20 × 5; save it at the original"):
        list(read_mask_pairs(truth, predicted))


def test_masks_in_colour(folders: tuple[Path, Path]) -> None:
    truth, predicted = folders
    save(predicted / "my_0000002.bmp", np.stack([mask(10), mask(10), mask(9)], axis=-1))
    with pytest.raises(ImageError, match=r"my_0000002.bmp is in colour; a mask has one channel"):
        list(read_mask_pairs(truth, predicted))


def test_names_without_a_number(folders: tuple[Path, Path]) -> None:
    truth, predicted = folders
    save(truth / "A.png", mask(10))
    with pytest.raises(ImageError, match=r"A.png has no image number such as ISIC_0012086 in its name"):
        list(read_mask_pairs(truth, predicted))
