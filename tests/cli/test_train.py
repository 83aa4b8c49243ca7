from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.cli import main
from dermoscope.cli.exits import ExitCode
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.features.embed import embed
from dermoscope.features.encoder import compile_encoder
from dermoscope.heads.saved import load_head
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_trainer import HeadTrainer, OnEpoch
from dermoscope.training.recipes import Recipe
from tests.data.leakage.planted import lesion_picture, save_jpeg
from tests.features.tiny_encoder import InlineEngine, tiny_encoder

SPLITS = ("train",) * 8 + ("val",) * 4 + ("test",) * 4
SHORT = ["--set", "stopping.epochs=3", "--set", "optimiser.batch_size=4", "--set", "head.hidden=[8]"]
SHORT += ["--set", "sampling.train.views=[original]", "--set", "sampling.validation.views=[original]"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of sixteen lesions, and a store with their features."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "images").mkdir()
    encoder = tiny_encoder(folder / "encoder")
    records = [
        Record(
            image_id=f"lesion_{number}",
            path=save_jpeg(lesion_picture(number), folder / "images" / f"lesion_{number}.jpg"),
            diagnosis=("NV", "MEL")[number % 2],
            source="planted",
            lesion_id=f"L{number}",
            split=split,
        )
        for number, split in enumerate(SPLITS)
    ]
    write_manifest(records, folder / "manifest.csv")
    leaky = [record.model_copy(update={"lesion_id": "L0"}) if record.split == "test" else record for record in records]
    write_manifest(leaky, folder / "leaky.csv")
    engine = InlineEngine(graph=compile_encoder(encoder))
    embed(records, encoder, engine, folder / "store", views=("original",), columns=("mean",))
    return folder


def arguments(
    world: Path, out: Path, *more: str, recipe: str = "graz-malignancy", manifest: str = "manifest.csv"
) -> list[str]:
    return [
        "train", recipe, "--manifest", str(world / manifest), "--store", str(world / "store"),
        "--encoder", str(world / "encoder"), "--out", str(out), "--resamples", "20",
        "--prints", str(world / "prints.sqlite"), *SHORT, *more,
    ]  # fmt: skip


def test_from_stored_features_to_an_evaluation(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, out, "--variant", "script", "--set", "seeds=[1, 2]")) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "graz-malignancy: learnt from benign 4, malignant 4, 6 epochs" in shown
    assert "Validation, 4 images of 4 lesions, 95 % intervals by lesion" in shown
    for line in ("Balanced accuracy", "Weighted F1", "Recall, malignant", f"The run: {out}", "Research use only"):
        assert line in shown
    run = json.loads((out / "run.json").read_text())
    assert run["state"] == "complete"
    assert run["command"].startswith("dermoscope train graz-malignancy --manifest manifest.csv --store store")
    assert "--variant script" in run["command"]
    assert str(tmp_path) not in (out / "run.json").read_text()
    assert run["leaks"]["leaks"] == 0
    fingerprint = json.loads((world / "encoder" / "encoder.json").read_text())["fingerprint"]
    assert load_head(out).description.encoder == fingerprint
    given = ["--manifest", str(world / "manifest.csv"), "--out", str(out / "test")]
    assert f"dermoscope evaluate {out} {' '.join(given)}" in shown
    assert main(["evaluate", str(out), *given, "--resamples", "5", "--quiet"]) == ExitCode.DONE
    assert (out / "test" / "figures" / "training-curves.svg").exists()


def test_a_fingerprint_stands_for_the_folder(world: Path, tmp_path: Path) -> None:
    fingerprint = json.loads((world / "encoder" / "encoder.json").read_text())["fingerprint"]
    given = arguments(world, tmp_path / "run")
    given[given.index("--encoder") + 1] = fingerprint
    assert main([*given, "--quiet"]) == ExitCode.DONE


def test_views_that_are_not_stored_are_named_at_once_and_the_folder_is_free_again(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(world, tmp_path / "run")
    place = given.index("sampling.train.views=[original]")
    turned = [*given[:place], "sampling.train.views=[original, hflip, rot90]", *given[place + 1 :]]
    assert main(turned) == ExitCode.FAILED
    message = capsys.readouterr().err
    assert "of hflip, rot90 nothing is stored" in message
    assert "--views original,hflip,rot90" in message
    assert main([*given, "--quiet"]) == ExitCode.DONE


def test_a_leak_refuses_unless_there_is_a_reason(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(arguments(world, out, manifest="leaky.csv")) == ExitCode.FAILED
    assert '--allow-leaks "reason"' in capsys.readouterr().err
    assert not (out / "head.json").exists()
    assert main(arguments(world, out, "--allow-leaks", "as published", manifest="leaky.csv")) == ExitCode.DONE
    assert json.loads((out / "run.json").read_text())["leaks"]["reason"] == "as published"


def test_interrupted_and_resumed(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(world, whole)) == ExitCode.DONE

    def interrupting(recipe: Recipe, classes: tuple[str, ...], *, checkpoints: Path, on_epoch: OnEpoch) -> HeadTrainer:
        def interrupt(line: HeadEpoch) -> None:
            on_epoch(line)
            if line.epoch == 2:
                raise KeyboardInterrupt

        return HeadTrainer(recipe, classes, checkpoints=checkpoints, on_epoch=interrupt)

    with monkeypatch.context() as patch:
        patch.setattr("dermoscope.training.head_run.HeadTrainer", interrupting)
        assert main(arguments(world, broken)) == ExitCode.INTERRUPTED
    assert "the same command with --resume goes on" in capsys.readouterr().err
    assert main(arguments(world, broken)) == ExitCode.USAGE
    assert "holds a run; go on with it by --resume" in capsys.readouterr().err
    assert main(arguments(world, broken, "--resume", "--set", "seeds=[7]")) == ExitCode.USAGE
    assert "has other settings" in capsys.readouterr().err
    assert main(arguments(world, broken, "--resume")) == ExitCode.DONE
    for name in ("head.safetensors", "metrics.jsonl", "predictions.csv"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--set", "stoping.epochs=1"], 2, "did you mean stopping?"),
        (["--variant", "none"], 2, "no variant 'none'"),
        (["--resume"], 2, "there is no run in"),
        (["--resamples", "0"], 2, "must be at least 1"),
        (["--set", "sampling.train.views=[hflip]"], 1, "dermoscope embed"),
        (["--set", "input.columns=[std]"], 1, "std is not stored"),
        (["--manifest", "absent.csv"], 1, "absent.csv"),
        (["--store", "absent"], 1, "there is no store absent"),
        (["--encoder", "absent"], 1, "absent"),
        (["--encoder", "0123456789abcdef"], 1, "no features of the encoder with fingerprint 0123456789abcdef"),
        (["--set", "optimiser.learning_rate=1e30"], 1, "the loss is no longer finite"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    more: list[str], code: int, message: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(world, tmp_path / "run")
    for option, value in zip(more[::2], more[1::2], strict=False):
        if option in given and option != "--set":
            given[given.index(option) + 1] = value
            more = []
    assert main([*given, *more]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_an_unknown_recipe_lists_those_there_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = ["train", "graz-grup", "--manifest", "m", "--store", "s", "--encoder", "e", "--out", str(tmp_path / "run")]
    assert main(given) == ExitCode.USAGE
    assert "did you mean graz-group?" in capsys.readouterr().err
