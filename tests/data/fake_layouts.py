"""Tiny fake copies of every official layout: the real names of folders, files and columns, invented contents.

Every function fills one folder, always in the same way. Images are 32×24 pixels, made from nothing but their name.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 32, 24
ISIC2019_COLUMNS = "MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
ISIC2018_COLUMNS = "MEL,NV,BCC,AKIEC,BKL,DF,VASC"
TEXTURES = ("banded", "chequered", "grid")


def fake_image(path: Path) -> None:
    """A brown ellipse on skin-coloured noise; the ending of the path decides the format."""
    pixels = np.random.default_rng(_seed(path)).integers(190, 220, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[_lesion(path)] = (110, 70, 50)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def fake_mask(path: Path, image: Path) -> None:
    """The ellipse of `fake_image(image)`, 0 and 255, one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_lesion(image).astype(np.uint8) * 255).save(path)


def fake_ham10000(root: Path) -> None:
    """Six images of four lesions, in two parts, each with a mask."""
    rows = [
        ("HAM_0000001", "ISIC_0024306", "nv", "follow_up", "45.0", "male", "back"),
        ("HAM_0000001", "ISIC_0029306", "nv", "follow_up", "45.0", "male", "back"),
        ("HAM_0000002", "ISIC_0024307", "akiec", "histo", "80.0", "female", "face"),
        ("HAM_0000003", "ISIC_0024308", "mel", "histo", "", "unknown", "unknown"),
        ("HAM_0000003", "ISIC_0029307", "mel", "histo", "", "unknown", "unknown"),
        ("HAM_0000004", "ISIC_0029308", "vasc", "consensus", "30.0", "female", "abdomen"),
    ]
    _write(root / "HAM10000_metadata.csv", "lesion_id,image_id,dx,dx_type,age,sex,localization", rows)
    for _, image_id, *_ in rows:
        part = 1 if image_id < "ISIC_0029306" else 2
        image = root / f"HAM10000_images_part_{part}" / f"{image_id}.jpg"
        fake_image(image)
        fake_mask(root / "HAM10000_segmentations_lesion_tschandl" / f"{image_id}_segmentation.png", image)


def fake_isic2016(root: Path) -> None:
    """Four training and two test images with masks (Part 1) and diagnoses (Part 3), whose tables have no header."""
    for part, labels in (
        ("Training", {"ISIC_0000000": "benign", "ISIC_0000002": "malignant", "ISIC_0000004": "malignant"}),
        ("Test", {"ISIC_0000003": "0.0", "ISIC_0000013": "1.0"}),
    ):
        name = f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv"
        _write(root / name, "", list(labels.items()))
        for image_id in labels:
            for task in (1, 3):
                fake_image(root / f"ISBI2016_ISIC_Part{task}_{part}_Data" / f"{image_id}.jpg")
            image = root / f"ISBI2016_ISIC_Part1_{part}_Data" / f"{image_id}.jpg"
            fake_mask(root / f"ISBI2016_ISIC_Part1_{part}_GroundTruth" / f"{image_id}_Segmentation.png", image)


def fake_isic2017(root: Path) -> None:
    """Three training, two validation and three test images; superpixels lie among the images, as in the original."""
    parts = {
        "Training": {"ISIC_0000000": (0, 0), "ISIC_0000002": (1, 0), "ISIC_0000009": (0, 1)},
        "Validation": {"ISIC_0001769": (0, 0), "ISIC_0001871": (1, 0)},
        "Test_v2": {"ISIC_0012086": (0, 1), "ISIC_0012092": (0, 0), "ISIC_0012095": (1, 0)},
    }
    for part, labels in parts.items():
        truth = [(image_id, *map(str, marks)) for image_id, marks in labels.items()]
        _write(root / f"ISIC-2017_{part}_Part3_GroundTruth.csv", "image_id,melanoma,seborrheic_keratosis", truth)
        people = [
            (image_id, "unknown" if number == 0 else "55", "female" if number else "unknown")
            for number, image_id in enumerate(labels)
        ]
        _write(
            root / f"ISIC-2017_{part}_Data" / f"ISIC-2017_{part}_Data_metadata.csv",
            "image_id,age_approximate,sex",
            people,
        )
        for image_id in labels:
            image = root / f"ISIC-2017_{part}_Data" / f"{image_id}.jpg"
            fake_image(image)
            fake_image(image.with_name(f"{image_id}_superpixels.png"))
            fake_mask(root / f"ISIC-2017_{part}_Part1_GroundTruth" / f"{image_id}_segmentation.png", image)


def fake_isic2018_task1(root: Path) -> None:
    """Three training, one validation and two test images with masks."""
    for part, image_ids in (
        ("Training", ("ISIC_0000000", "ISIC_0000001", "ISIC_0000003")),
        ("Validation", ("ISIC_0012255",)),
        ("Test", ("ISIC_0012169", "ISIC_0012236")),
    ):
        for image_id in image_ids:
            image = root / f"ISIC2018_Task1-2_{part}_Input" / f"{image_id}.jpg"
            fake_image(image)
            fake_mask(root / f"ISIC2018_Task1_{part}_GroundTruth" / f"{image_id}_segmentation.png", image)
        (root / f"ISIC2018_Task1-2_{part}_Input" / "LICENSE.txt").write_text("CC BY-NC 4.0\n", encoding="utf-8")


def fake_isic2018_task3(root: Path) -> None:
    """Four training images of three lesions, one validation and one test image; tables in folders of their own."""
    parts = {
        "Training": {"ISIC_0024306": "NV", "ISIC_0024307": "NV", "ISIC_0024308": "AKIEC", "ISIC_0024309": "MEL"},
        "Validation": {"ISIC_0034321": "BCC"},
        "Test": {"ISIC_0034524": "DF"},
    }
    for part, labels in parts.items():
        name = f"ISIC2018_Task3_{part}_GroundTruth"
        _write(root / name / f"{name}.csv", f"image,{ISIC2018_COLUMNS}", _one_hot(labels, ISIC2018_COLUMNS))
        for image_id in labels:
            fake_image(root / f"ISIC2018_Task3_{part}_Input" / f"{image_id}.jpg")
    _write(
        root / "ISIC2018_Task3_Training_LesionGroupings.csv",
        "image,lesion_id,diagnosis_confirm_type",
        [
            ("ISIC_0024306", "HAM_0000001", "histopathology"),
            ("ISIC_0024307", "HAM_0000001", "histopathology"),
            ("ISIC_0024308", "HAM_0000002", "histopathology"),
            ("ISIC_0024309", "HAM_0000003", "single image expert consensus"),
        ],
    )


def fake_isic2019(root: Path) -> None:
    """Five training images, one of them `_downsampled`, and three test images, one of them UNK."""
    train = {
        "ISIC_0000000": "NV",
        "ISIC_0000002_downsampled": "MEL",
        "ISIC_0024307": "AK",
        "ISIC_0024308": "SCC",
        "ISIC_0053453": "BCC",
    }
    test = {"ISIC_0034321": "NV", "ISIC_0034323": "BCC", "ISIC_0034331": "UNK"}
    people = [
        ("ISIC_0000000", "55", "anterior torso", "", "female"),
        ("ISIC_0000002_downsampled", "60", "upper extremity", "MSK4_0000001", "female"),
        ("ISIC_0024307", "80", "head/neck", "HAM_0000002", "female"),
        ("ISIC_0024308", "", "", "BCN_0000001", ""),
        ("ISIC_0053453", "30", "palms/soles", "BCN_0000001", "male"),
    ]
    for part, labels in (("Training", train), ("Test", test)):
        truth = _one_hot(labels, ISIC2019_COLUMNS)
        _write(root / f"ISIC_2019_{part}_GroundTruth.csv", f"image,{ISIC2019_COLUMNS}", truth)
        for image_id in labels:
            fake_image(root / f"ISIC_2019_{part}_Input" / f"{image_id}.jpg")
    _write(root / "ISIC_2019_Training_Metadata.csv", "image,age_approx,anatom_site_general,lesion_id,sex", people)
    _write(
        root / "ISIC_2019_Test_Metadata.csv",
        "image,age_approx,anatom_site_general,sex",
        [(image_id, "70", "anterior torso", "male") for image_id in test],
    )


def fake_isic2020(root: Path) -> None:
    """Five training images of three patients and two test images without diagnoses."""
    train = [
        ("ISIC_0015719", "IP_3075186", "IL_1", "female", "45", "upper extremity", "unknown", "benign", "0"),
        ("ISIC_0052212", "IP_2842074", "IL_2", "female", "50", "lower extremity", "nevus", "benign", "0"),
        ("ISIC_0068279", "IP_2842074", "IL_3", "", "", "", "melanoma", "malignant", "1"),
        ("ISIC_0074268", "IP_6890425", "IL_4", "male", "55", "head/neck", "lentigo NOS", "benign", "0"),
        ("ISIC_0074311", "IP_6890425", "IL_4", "male", "55", "head/neck", "cafe-au-lait macule", "benign", "0"),
    ]
    columns = "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis"
    _write(root / "ISIC_2020_Training_GroundTruth_v2.csv", f"{columns},benign_malignant,target", train)
    test = [
        ("ISIC_0052060", "IP_3579794", "70", "", "male"),
        ("ISIC_0052349", "IP_7782715", "40", "lower extremity", "male"),
    ]
    _write(root / "ISIC_2020_Test_Metadata.csv", "image,patient,age_approx,anatom_site_general,sex", test)
    for image_id, *_ in train:
        fake_image(root / "train" / f"{image_id}.jpg")
    for image_id, *_ in test:
        fake_image(root / "ISIC_2020_Test_Input" / f"{image_id}.jpg")


def fake_ph2(root: Path) -> None:
    """A common nevus, an atypical nevus and a melanoma, as BMP with masks, and the table of criteria."""
    lines = [
        "||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | Dots/Globules | "
        "Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||",
        "|| IMD003 ||                        ||                  0 || 0 | T | A | A | A | A ||  4       ||",
        "|| IMD009 ||                        ||                  1 || 1 | AT | AT | A | P | A ||  3  4    ||",
        "|| IMD058 ||               Melanoma ||                  2 || 2 | AT | AT | P | A | P ||  3  4  5  6 ||",
        "",
        "Clinical Diagnosis: 0 - Common Nevus; 1 - Atypical Nevus; 2 - Melanoma.",
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / "PH2_dataset.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("IMD003", "IMD009", "IMD058"):
        folder = root / "PH2 Dataset images" / name
        image = folder / f"{name}_Dermoscopic_Image" / f"{name}.bmp"
        fake_image(image)
        fake_mask(folder / f"{name}_lesion" / f"{name}_lesion.bmp", image)


def fake_dtd(root: Path) -> None:
    """Three textures of three images, and the first of the ten official splits."""
    names = {texture: [f"{texture}/{texture}_{number:04d}.jpg" for number in (2, 4, 5)] for texture in TEXTURES}
    for files in names.values():
        for name in files:
            fake_image(root / "images" / name)
    (root / "labels").mkdir(parents=True, exist_ok=True)
    for position, part in enumerate(("train", "val", "test")):
        text = "".join(f"{files[position]}\n" for files in names.values())
        (root / "labels" / f"{part}1.txt").write_text(text, encoding="utf-8")


def fake_class_folders(root: Path) -> None:
    """Photographs in one folder a class; two have the same name in different folders."""
    for name in ("MEL/1.jpg", "MEL/2.png", "NV/1.jpg", "nv_more/readme.txt", "NOT_SKIN/wall.jpg"):
        if name.endswith(".txt"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("no image\n", encoding="utf-8")
        else:
            fake_image(root / name)


def fake_photographs(root: Path) -> None:
    """Photographs at different depths, without classes."""
    for name in ("one.jpg", "deep/two.png", "deep/deeper/three.jpg"):
        fake_image(root / name)


def _one_hot(labels: dict[str, str], columns: str) -> list[tuple[str, ...]]:
    codes = columns.split(",")
    return [(image_id, *("1.0" if code == label else "0.0" for code in codes)) for image_id, label in labels.items()]


def _write(path: Path, header: str, rows: Sequence[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header] * bool(header) + [",".join(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _seed(path: Path) -> int:
    return zlib.crc32(path.stem.encode())


def _lesion(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    random = np.random.default_rng(_seed(path) + 1)
    centre_x, centre_y = random.uniform(10, WIDTH - 10), random.uniform(8, HEIGHT - 8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(((columns - centre_x) / 7) ** 2 + ((rows - centre_y) / 5) ** 2 <= 1)
