"""The scripts of the study of second looks, on a planted run: what a share of them gains, and what a box holds."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.evaluation.looks import LOOKS, Looks, probability_column, read_looks
from tests.data.leakage.planted import lesion_picture
from tests.watch import REPOSITORY

SCRIPTS = ("tables", "shares", "figures")
CLASSES = ("NV", "MEL", "BKL")
NAME, EACH = "planted-42", 8
WHOLE, HALF, LESION = (0, 0, 80, 60), (0, 0, 40, 60), (30, 20, 50, 40)
"""The picture, its left half, and the lesion in its middle."""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The scripts by name, in the state of a first import."""
    monkeypatch.syspath_prepend(REPOSITORY / "studies" / "cam-crop")
    yield {name: importlib.import_module(name) for name in SCRIPTS}
    for name in SCRIPTS:
        sys.modules.pop(name)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one training: the second look decides right where the first is in doubt, and at random elsewhere.

    Of every eight images the first is seen as a whole and the second has no outline; boxes of the others take turns
    between the left half of the picture, which cuts the lesion in two, and the lesion.
    """
    training = tmp_path / "looks" / NAME
    (tmp_path / "images").mkdir()
    training.mkdir(parents=True)
    random = np.random.default_rng(0)
    records, rows = [], []
    outline = np.zeros((60, 80), np.uint8)
    outline[LESION[1] : LESION[3], LESION[0] : LESION[2]] = 255
    Image.fromarray(outline).save(tmp_path / "outline.png")
    for number, split in enumerate(("val", "test") * (3 * EACH)):
        code = CLASSES[number // 2 % 3]
        name, path = f"image_{number}", tmp_path / "images" / f"image_{number}.png"
        Image.fromarray(lesion_picture(number, 80, 60)).save(path)
        kind = number // 2 % EACH
        mask = None if kind == 1 else tmp_path / "outline.png"
        records.append(Record(image_id=name, path=path, mask_path=mask, diagnosis=code, source="planted", split=split))
        right, other = CLASSES.index(code), (CLASSES.index(code) + 1) % 3
        doubtful = bool(random.random() < 0.4)
        first = peak(other if doubtful else right, random.uniform(0.4, 0.5) if doubtful else random.uniform(0.6, 0.9))
        second = peak(right if doubtful else int(random.integers(3)), random.uniform(0.4, 0.9))
        said = dict(zip(LOOKS, (first, second, second), strict=True))
        box = WHOLE if kind == 0 else HALF if kind % 2 else LESION
        rows.append(
            {"image_id": name, "split": split, **dict(zip(("left", "top", "right", "bottom"), box, strict=True))}
            | {"whole_because": "" if kind else "too large"}
            | {probability_column(look, c): said[look][k] for look in LOOKS for k, c in enumerate(CLASSES)}
        )
    write_manifest(records, tmp_path / "isic2017.csv")
    write_rows(training / "looks.csv", rows)
    answers = [{"image_id": r["image_id"]} | {f"p_{c}": r[f"second_{c}"] for c in CLASSES} for r in rows]
    write_rows(training / "predictions.csv", answers)
    (training / "looks.json").write_text(json.dumps({"definition": "", "ranked": ["MEL", "BKL"]}))
    for look in ("first", "second"):
        (training / look).mkdir()
        (training / look / "training.json").write_text(json.dumps({"selected_by": "mean AUC"}))
        measured = {"training classification": 1.0, "loss": 0.9, "mean AUC": 0.8}
        lines = [json.dumps({"epoch": epoch, "metrics": measured}) for epoch in (1, 2, 3)]
        (training / look / "metrics.jsonl").write_text("\n".join(lines))
    return tmp_path


def peak(place: int, height: float) -> list[float]:
    """Three probabilities, the highest of them at a place."""
    return [height if k == place else (1 - height) / 2 for k in range(3)]


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def of_test(run: Path) -> tuple[list[Record], Looks]:
    truth = [record for record in read_manifest(run / "isic2017.csv") if record.split == "test"]
    looks = read_looks(run / "looks" / NAME, [record.image_id for record in truth])
    assert looks
    return truth, looks


def test_the_least_certain_images_take_the_answer_of_the_second_look(scripts: dict[str, ModuleType], run: Path) -> None:
    _, looks = of_test(run)
    first, second = looks.answers["first look"], looks.answers["second look"]
    mixed = scripts["shares"].twice(looks, 0.5)
    again = (mixed != first).any(axis=1)
    assert np.array_equal(mixed[again], second[again])
    assert again.sum() <= len(first) // 2
    unsure = np.argsort(first.max(axis=1))[: len(first) // 2]
    assert np.array_equal(mixed[unsure], second[unsure])


def test_measures_by_share_are_those_of_the_mixed_answers(scripts: dict[str, ModuleType], run: Path) -> None:
    truth, looks = of_test(run)
    shares = scripts["shares"]
    found = shares.by_share(looks, truth)
    codes = [record.diagnosis for record in truth]
    for number, share in enumerate(shares.SHARES):
        answer = shares.twice(looks, share)
        right = balanced_accuracy_score(codes, [CLASSES[k] for k in answer.argmax(axis=1)])
        areas = [roc_auc_score([c == code for c in codes], answer[:, CLASSES.index(code)]) for code in ("MEL", "BKL")]
        assert found["balanced accuracy"]["value"][number][0] == pytest.approx(right, abs=1e-4)
        assert found["mean AUC"]["value"][number][0] == pytest.approx(np.mean(areas), abs=1e-4)
    for measured in found.values():
        values, gains = np.array(measured["value"]), np.array(measured["gain"])
        assert (gains[0] == 0).all()
        assert gains[:, 0] == pytest.approx(values[:, 0] - values[0, 0], abs=2e-4)
        assert ((gains[:, 1] <= gains[:, 0]) & (gains[:, 0] <= gains[:, 2])).all()
    # A second look at the images in doubt pays, at the others it costs: the best share lies between.
    assert 0 < np.argmax([gain for gain, _, _ in found["balanced accuracy"]["gain"]]) < len(shares.SHARES) - 1


def test_gains_are_paired(scripts: dict[str, ModuleType], run: Path) -> None:
    truth, looks = of_test(run)
    first = looks.answers["first look"]
    same = replace(looks, answers=dict.fromkeys(LOOKS, first))
    for measured in scripts["shares"].by_share(same, truth).values():
        assert np.array(measured["value"])[:, 1].max() < np.array(measured["value"])[:, 0].min()
        assert not np.array(measured["gain"]).any()


def test_shares_of_boxes_have_their_number_and_quartiles(scripts: dict[str, ModuleType], run: Path) -> None:
    truth, looks = of_test(run)
    tables = scripts["tables"]
    held, taken = tables.held(looks, truth), tables.taken(looks, truth)
    # Of each eight one is a whole image and one has no outline; three of the six are cut in two.
    assert sorted(held) == [0.5] * 9 + [1.0] * 9
    assert len(taken) == 21
    assert tables.Spread.of(held) == tables.Spread(18, 0.75, (0.5, 1.0))
    assert str(tables.Spread.of(held)) == "0.75 (0.50 to 1.00), n = 18"
    assert tables.Spread.of([]) is None


def test_every_figure_is_drawn_and_photographs_stay_in_the_run_folder(
    scripts: dict[str, ModuleType], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, shares, out = run / "results.json", run / "shares.json", run / "figures"
    for split in ("val", "test"):
        call(scripts["tables"], monkeypatch, "--run", run, "--split", split, "--json", results)
        call(scripts["shares"], monkeypatch, "--run", run, "--trainings", NAME, "--split", split, "--json", shares)
    written = json.loads(results.read_text())["looks, test"][NAME]
    assert written["outline inside the box"] == {"n": 18, "median": 0.75, "quartiles": [0.5, 1.0]}
    given = ["--run", run, "--trainings", NAME, "--results", results, "--shares", shares, "--out", out]
    call(scripts["figures"], monkeypatch, *given)
    drawn = {f"curves-{NAME}.svg", f"roc-{NAME}-melanoma.svg", f"roc-{NAME}-keratosis.svg", "gains.svg", "shares.svg"}
    assert {path.name for path in out.iterdir()} == drawn
    with Image.open(run / f"where-{NAME}.png") as pictures:
        assert pictures.width > 1000


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *map(str, arguments)])
    script.main()
