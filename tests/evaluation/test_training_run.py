from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.training_run import read_training_run

ABOUT: dict[str, Any] = {
    "schema_version": 1,
    "recipe": "graz-group",
    "description": "Lesion group.",
    "selected_by": "loss",
    "published": {"metrics": {"accuracy": 0.658}, "measured_on": "elsewhere"},
}


def write(
    folder: Path, *, losses: dict[int, list[float]], about: dict[str, Any] | None = None, published: bool = True
) -> Path:
    folder.mkdir(exist_ok=True)
    said = (about or ABOUT) | ({} if published else {"published": None})
    (folder / "training.json").write_text(json.dumps(said))
    (folder / "head.json").write_text(json.dumps({"encoder": "0123456789abcdef", "columns": ["mean"]}))
    lines: list[dict[str, Any]] = [
        {"head": "graz-group", "seed": seed, "epoch": epoch, "metrics": {"loss": loss, "accuracy": 1 - loss}}
        for seed, of_seed in losses.items()
        for epoch, loss in enumerate(of_seed, 1)
    ]
    lines.append({"head": "graz-group", "seed": None, "epoch": None, "metrics": {"accuracy": 0.5}})
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def test_what_a_training_says(tmp_path: Path) -> None:
    run = read_training_run(write(tmp_path / "run", losses={3: [0.5, 0.2, 0.2, 0.4], 7: [0.1]}))
    assert run
    assert (run.recipe, run.published, run.published_on) == ("graz-group", {"accuracy": 0.658}, "elsewhere")
    assert (run.encoder, run.columns) == ("0123456789abcdef", ("mean",))
    assert run.predictions == tmp_path / "run" / "predictions.csv"
    assert [len(lines) for lines in run.epochs.values()] == [4, 1]
    assert (run.chosen_epoch(3), run.chosen_epoch(7)) == (2, 1)


@pytest.mark.parametrize(("select", "epoch"), [("loss", 2), ("accuracy", 2), ("last epoch", 3), (None, None)])
def test_the_epoch_that_was_kept(select: str | None, epoch: int | None, tmp_path: Path) -> None:
    run = read_training_run(write(tmp_path, losses={0: [0.5, 0.2, 0.3]}, about=ABOUT | {"selected_by": select}))
    assert run
    assert run.chosen_epoch(0) == epoch


def test_nothing_published(tmp_path: Path) -> None:
    run = read_training_run(write(tmp_path, losses={}, published=False))
    assert run
    assert (run.published, run.published_on, run.epochs) == ({}, "", {})


def test_what_a_training_was_asked(tmp_path: Path) -> None:
    about = ABOUT | {"question": "malignancy (graz)", "answered": ["MEL", "", "NV"]}
    run = read_training_run(write(tmp_path / "new", losses={}, about=about))
    assert run
    assert run.question == "malignancy (graz)"
    assert run.answered == frozenset({"MEL", "", "NV"})
    for silent in (ABOUT, ABOUT | {"answered": None}):
        run = read_training_run(write(tmp_path / "old", losses={}, about=silent))
        assert run
        assert (run.question, run.answered) == ("", None)


def test_other_folders_and_files_are_no_trainings(tmp_path: Path) -> None:
    (tmp_path / "results.csv").touch()
    assert read_training_run(tmp_path) is None
    assert read_training_run(tmp_path / "results.csv") is None
    assert read_training_run(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("training.json", "{"),
        ("training.json", "[]"),
        ("training.json", "{}"),
        ("training.json", json.dumps(ABOUT | {"answered": 1})),
        ("head.json", None),
        ("head.json", "{}"),
        ("metrics.jsonl", '{"seed": 1}\n'),
        ("metrics.jsonl", None),
    ],
)
def test_a_broken_file_is_named(name: str, content: str | None, tmp_path: Path) -> None:
    write(tmp_path, losses={0: [0.5]})
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name if name != "head.json" else "head.json|training.json"):
        read_training_run(tmp_path)
