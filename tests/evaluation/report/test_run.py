from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.report import OutputExistsError, Request, Run, Settings, evaluate
from dermoscope.evaluation.truth import split_hash
from tests.evaluation.fake_runs import (
    CLASSES,
    IMAGES,
    diagnosis,
    disc,
    image_id,
    manifest_rows,
    prediction_rows,
    probabilities,
    result_rows,
    write_picture,
    write_table,
    write_world,
)
from tests.evaluation.test_training_run import ABOUT
from tests.evaluation.test_training_run import write as write_training_run

QUICK = Settings(resamples=10)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole evaluation, with validation images and masks."""
    root = tmp_path_factory.mktemp("world")
    manifest, results = write_world(root)
    write_table(root / "validation.csv", result_rows(seed=1, start=IMAGES))
    request = Request(
        results=results,
        manifest=manifest,
        out=root / "run",
        validation=root / "validation.csv",
        command="dermoscope evaluate 'results' --out run",
    )
    evaluate(request, QUICK)
    return root / "run"


def metrics_of(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def run_on(root: Path, results: Path, manifest: Path, **changes: Any) -> Run:
    return evaluate(replace(Request(results, manifest, root / "run"), **changes), QUICK)


def test_the_numbers(evaluated: Path) -> None:
    found = metrics_of(evaluated)
    labels = np.array([CLASSES.index(diagnosis(number)) for number in range(IMAGES)])
    predicted = probabilities()
    assert found["diagnosis"]["metrics"]["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(labels, predicted.argmax(axis=1))
    )
    malignant = np.isin(labels, (0, 2))
    auc = found["malignancy"]["metrics"]["auc"]
    assert auc["value"] == pytest.approx(roc_auc_score(malignant, predicted[:, 0] + predicted[:, 2]))
    assert (auc["n"], auc["groups"]) == (IMAGES, IMAGES // 2)
    assert found["official"]["isic2020"]["overall"] == pytest.approx(roc_auc_score(labels == 0, predicted[:, 0]))
    for name, official in found["official"].items():
        estimate = official["estimate"]
        assert estimate["value"] == pytest.approx(official["overall"], abs=1e-12), name
        assert estimate["low"] <= estimate["value"] <= estimate["high"], name
        assert (estimate["n"], estimate["groups"]) == (IMAGES, IMAGES // 2), name
    assert set(found["official"]) >= {"isic2016-task3", "isic2017-task3", "isic2020", "isic2018-task1"}
    reported = found["official"]["isic2017-task3"]["specificity_at_sensitivity"]
    assert list(reported) == ["melanoma", "seborrheic_keratosis", "mean"]
    assert list(reported["mean"]) == ["0.82", "0.89", "0.95"]
    assert found["masks"]["prompt"] == "auto"
    assert found["malignancy"]["thresholds_chosen_on"] == "validation images"
    assert found["answers"]["diagnosis_accuracy"]["answered"]["value"] == pytest.approx(29 / 30)
    assert [row["value"] for row in found["subgroups"]["rows"]["sex"]] == ["male", "female"]


def test_the_header(evaluated: Path) -> None:
    header = metrics_of(evaluated)["header"]
    assert header["split"] == "test"
    assert header["split_hash"] == split_hash([image_id(number) for number in range(IMAGES)], "test")
    assert (header["n"], header["groups"], header["model"]) == (IMAGES, IMAGES // 2, "0123456789abcdef")
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    for text in (header["split_hash"], "0123456789abcdef", "<span>&#39;results&#39;</span>", "graz"):
        assert text in page
    assert "Not a medical device" in page
    assert "They are no test numbers" not in page


def test_the_page_is_whole_and_offline(evaluated: Path) -> None:
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    open_tags: list[str] = []
    names: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            names.extend(value for name, value in attributes if name == "id" and value)
            if tag not in {"meta", "img", "br", "link", "path", "use", "rect", "image"}:
                open_tags.append(tag)

        def handle_startendtag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
            names.extend(value for name, value in attributes if name == "id" and value)

        def handle_endtag(self, tag: str) -> None:
            if open_tags and open_tags[-1] == tag:
                open_tags.pop()
            elif tag not in {"path", "use", "rect", "image"}:
                pytest.fail(f"</{tag}> closes <{open_tags[-1] if open_tags else ''}>")

    Checker().feed(page)
    assert open_tags == []
    assert len(names) == len(set(names)), "figures on one page must not share ids"
    references = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert references <= set(names)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page.replace('href="http://www.w3.org', ""))
    assert "<script" not in page
    assert page.count("<svg") == len(list((evaluated / "figures").glob("*.svg")))


def test_no_image_is_named_unless_asked(evaluated: Path, tmp_path: Path) -> None:
    for name in ("report.html", "tables.md", "tables.tex", "metrics.json"):
        assert "ISIC_0" not in (evaluated / name).read_text(encoding="utf-8")
    manifest, results = write_world(tmp_path)
    drawn = []
    for settings in (QUICK, replace(QUICK, keep_names=True)):
        evaluate(Request(results, manifest, tmp_path / "run", overwrite=True), settings)
        drawn.append((tmp_path / "run" / "figures" / "masks-gallery.png").read_bytes())
    assert drawn[0] != drawn[1]


def test_photographs_that_cannot_be_decoded_leave_no_gallery(tmp_path: Path) -> None:
    manifest, results = write_world(tmp_path)
    for number in range(IMAGES):
        (tmp_path / "images" / f"{image_id(number)}.png").write_text("no picture")
    run_on(tmp_path, results, manifest)
    assert not (tmp_path / "run" / "figures" / "masks-gallery.png").exists()
    assert "Worst, median" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_predictions_are_kept_for_comparisons(evaluated: Path) -> None:
    with (evaluated / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == IMAGES
    assert rows[0]["diagnosis:truth"] == "MEL"
    assert float(rows[1]["diagnosis:NV"]) == probabilities()[1, 1]
    assert float(rows[0]["masks:dice"]) == 1


def test_tables_and_figures(evaluated: Path) -> None:
    assert "| AUC (ROC) |" in (evaluated / "tables.md").read_text(encoding="utf-8")
    assert "\\begin{tabular}" in (evaluated / "tables.tex").read_text(encoding="utf-8")
    assert {path.name for path in (evaluated / "figures").iterdir()} >= {
        "malignancy-roc.svg",
        "diagnosis-confusion.svg",
        "masks-gallery.png",
    }


@pytest.mark.parametrize("split", ["val", ""])
def test_other_numbers_than_test_numbers_say_so(split: str, tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows(split))
    results = write_table(tmp_path / "mine.csv", prediction_rows())
    run_on(tmp_path, results, manifest, split=split or "test")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert ("They are no test numbers" if split else "The manifest names no split") in page


def test_thresholds_read_off_the_scored_images_are_called_that(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    run_on(tmp_path, write_table(tmp_path / "mine.csv", prediction_rows()), manifest)
    assert metrics_of(tmp_path / "run")["malignancy"]["thresholds_chosen_on"] == "these images"
    assert "which flatters them" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_masks_alone(tmp_path: Path) -> None:
    manifest, results = write_world(tmp_path)
    with pytest.raises(InputError, match="say with --prompt"):
        run_on(tmp_path, results / "masks", manifest)
    run_on(tmp_path, results / "masks", manifest, prompt="ground-truth-box")
    found = metrics_of(tmp_path / "run")
    assert found["official"]["isic2018-task1"]["images"] == IMAGES
    assert "malignancy" not in found
    assert "Do not read their scores" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("wrong", ["table", "mask", "positive", "validation"])
def test_nothing_is_half_written(wrong: str, tmp_path: Path) -> None:
    manifest, results = write_world(tmp_path)
    changes: dict[str, Any] = {}
    if wrong == "table":
        (results / "results.csv").write_text("image_id,MEL,NV\na,2,0\n")
    elif wrong == "mask":
        write_picture(results / "masks" / f"{image_id(3)}.png", disc(3)[:20])
    elif wrong == "positive":
        write_table(results / "results.csv", [{"image_id": row["image_id"], "MEL": 0.5} for row in prediction_rows()])
        changes["positive"] = "graz"
    else:
        changes |= {"validation": results, "validation_split": "test"}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        run_on(tmp_path, results, manifest, **changes)
    assert sorted(tmp_path.iterdir()) == before


def test_a_broken_off_run_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    results = write_table(tmp_path / "mine.csv", prediction_rows())
    run_on(tmp_path, results, manifest)
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    monkeypatch.setattr("dermoscope.evaluation.report.run.write_page", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_on(tmp_path, results, manifest, overwrite=True)
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_earlier_run_is_replaced_only_when_told(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    results = write_table(tmp_path / "mine.csv", prediction_rows())
    run_on(tmp_path, results, manifest)
    with pytest.raises(OutputExistsError, match="holds an earlier run; replace it with --overwrite"):
        run_on(tmp_path, results, manifest)
    run_on(tmp_path, results, manifest, overwrite=True)
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match="did not write"):
        run_on(tmp_path, results, manifest, overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").exists()


def test_a_validation_file_of_another_model_is_refused(tmp_path: Path) -> None:
    manifest, results = write_world(tmp_path, masks=False)
    for row in (rows := result_rows(seed=1, start=IMAGES)):
        row["bundle"] = "ffff"
    validation = write_table(tmp_path / "validation.csv", rows)
    with pytest.raises(InputError, match=r"column bundle: comes from model ffff"):
        run_on(tmp_path, results, manifest, validation=validation)


def test_one_seed_gives_one_set_of_numbers(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    results = write_table(tmp_path / "mine.csv", prediction_rows())
    found = []
    for _ in range(2):
        run_on(tmp_path, results, manifest, overwrite=True)
        metrics = metrics_of(tmp_path / "run")
        del metrics["header"]["made"]
        found.append(metrics)
    assert found[0] == found[1]


def test_texts_of_strangers_are_escaped(tmp_path: Path) -> None:
    rows = [row | {"site": "<script>alert(1)</script>", "source": "A<b>"} for row in manifest_rows()]
    manifest = write_table(tmp_path / "manifest.csv", rows)
    run_on(tmp_path, write_table(tmp_path / "mine.csv", prediction_rows()), manifest)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "A<b>" not in page


def test_few_images_of_one_class_do_not_break_it(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows()[:2])
    results = write_table(tmp_path / "mine.csv", prediction_rows()[:2])
    assert run_on(tmp_path, results, manifest).images == 2


def training_run(folder: Path, losses: dict[int, list[float]], *, published: bool = True) -> Path:
    """A run of dermoscope train whose head answers as the made-up predictions do, on validation and test images."""
    write_training_run(folder, losses=losses, published=published)
    rows = [{"split": "test", **row} for row in prediction_rows()]
    rows += [{"split": "val", **row} for row in prediction_rows(seed=1, start=IMAGES)]
    write_table(folder / "predictions.csv", rows)
    return folder


@pytest.mark.parametrize("losses", [{0: [0.9, 0.4, 0.5]}, {0: [0.9, 0.4], 1: [0.8]}, {}], ids=["one", "two", "none"])
def test_a_training_run_shows_its_training_beside_the_published_numbers(
    losses: dict[int, list[float]], tmp_path: Path
) -> None:
    rows = manifest_rows() + manifest_rows("val", start=IMAGES)
    manifest = write_table(tmp_path / "manifest.csv", rows)
    run_on(tmp_path, training_run(tmp_path / "trained", losses), manifest)
    metrics = metrics_of(tmp_path / "run")
    assert metrics["training"]["published"] == {"accuracy": 0.658}
    assert {seed: of["chosen"] for seed, of in metrics["training"]["seeds"].items()} == {
        str(seed): 1 + values.index(min(values)) for seed, values in losses.items()
    }
    assert metrics["header"]["validation"]
    tables = (tmp_path / "run" / "tables.md").read_text(encoding="utf-8")
    accuracy = metrics["diagnosis"]["metrics"]["accuracy"]["value"]
    assert f"| Accuracy | 0.6580 | {accuracy:.3f} (" in tables
    assert (tmp_path / "run" / "figures" / "training-curves.svg").exists() is bool(losses)


def test_a_recipe_without_published_numbers_has_no_table_of_them(tmp_path: Path) -> None:
    rows = manifest_rows() + manifest_rows("val", start=IMAGES)
    manifest = write_table(tmp_path / "manifest.csv", rows)
    run_on(tmp_path, training_run(tmp_path / "trained", {0: [0.5]}, published=False), manifest)
    assert "Beside the published numbers" not in (tmp_path / "run" / "tables.md").read_text(encoding="utf-8")


def test_a_network_is_not_asked_what_it_has_no_answer_to(tmp_path: Path) -> None:
    """Neither on the scored images nor on its own validation images."""
    rows = manifest_rows() + manifest_rows("val", start=IMAGES)
    manifest = write_table(tmp_path / "manifest.csv", rows)
    about = ABOUT | {"question": "cancer", "answered": ["MEL", "BCC"]}
    folder = write_training_run(tmp_path / "trained", losses={0: [0.5]}, about=about)
    (folder / "head.json").unlink()
    (folder / "network.json").write_text("{}")
    cancers = {row["image_id"]: row["split"] for row in rows if row["diagnosis"] in ("MEL", "BCC")}
    said = [{"image_id": name, "split": split, "MEL": 0.25, "BCC": 0.75} for name, split in cancers.items()]
    write_table(folder / "predictions.csv", said)
    run = run_on(tmp_path, folder, manifest)
    assert run.left_out == "18 images without an answer to cancer are left out: 6 BKL, 6 NV, 6 VASC"
    assert (run.images, run.unanswered) == (12, 0)
    assert run.tiles[0].label == "Diagnosis, balanced accuracy"
    header = metrics_of(tmp_path / "run")["header"]
    assert header["left_out"] == {"BKL": 6, "NV": 6, "VASC": 6}
    assert header["questions"] == {"melanoma": "Melanoma", "diagnosis": "Diagnosis"}
    tables = (tmp_path / "run" / "tables.md").read_text(encoding="utf-8")
    assert run.left_out in tables
    assert "features of the encoder" not in tables, "it reads images"


def test_only_the_features_of_a_training_run_can_be_mapped(tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows())
    results = write_table(tmp_path / "mine.csv", prediction_rows())
    with pytest.raises(InputError, match=r"mine\.csv: is no run folder of dermoscope train"):
        run_on(tmp_path, results, manifest, store=str(tmp_path))


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    rows = manifest_rows() + manifest_rows("val", start=IMAGES)
    manifest = write_table(tmp_path / "manifest.csv", rows)
    with pytest.raises(InputError, match="there is no store"):
        run_on(tmp_path, training_run(tmp_path / "trained", {0: [0.5]}), manifest, store=str(tmp_path / "none"))
