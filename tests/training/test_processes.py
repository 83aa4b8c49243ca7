"""Several processes train one network, as torchrun starts them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.cli import main
from dermoscope.data.manifest import write_manifest
from dermoscope.training.processes import Processes
from tests.training.tiny_crops import SMALL, diagnosed

# isort: split
import timm

# Without batch normalisation, which would see half a batch, one process and two do the same sums.
BACKBONE = "test_convnext"
# Nothing is drawn at random by a process for itself, and steps are so large that a wrong gradient is seen.
EXACT = ("model.dropout=0", f"model.backbone={BACKBONE}", "optimiser.average=0", "optimiser.learning_rate=0.02")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    # Nine of each: neither the batches of an epoch nor the images of a split can be halved.
    splits = ("train",) * 9 + ("val",) * 5 + ("test",) * 3
    write_manifest(diagnosed(folder / "images", splits), folder / "manifest.csv")
    torch.manual_seed(0)
    save_file(timm.create_model(BACKBONE).state_dict(), folder / "backbone.safetensors")
    return folder


def train(world: Path, out: str, processes: int, *more: str) -> subprocess.CompletedProcess[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *(launch if processes > 1 else []), "-m", "dermoscope", "train", "cam-binary"]
    command += ["--manifest", str(world / "manifest.csv"), "--weights", str(world / "backbone.safetensors")]
    command += ["--out", str(world / out), "--resamples", "20", "--variant", "cross-entropy", *more]
    command += [part for change in (*SMALL, *EXACT) for part in ("--set", change)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def probabilities(run: Path) -> np.ndarray:
    with (run / "predictions.csv").open(newline="") as stream:
        return np.array([float(row["p_malignant"]) for row in csv.DictReader(stream)])


def test_two_processes_train_what_one_does(world: Path) -> None:
    alone = train(world, "one", 1)
    assert alone.returncode == 0, alone.stderr
    together = train(world, "two", 2)
    assert together.returncode == 0, together.stderr
    one, two = world / "one", world / "two"
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    np.testing.assert_allclose(probabilities(two), probabilities(one), atol=1e-4)
    first, second = (load_file(run / "model.safetensors") for run in (one, two))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=1e-4, rtol=0.0)
    assert json.loads((two / "run.json").read_text())["state"] == "complete"
    lines = [len((run / "metrics.jsonl").read_text().splitlines()) for run in (one, two)]
    assert lines[0] == lines[1]
    assert together.stdout.count("The run:") == 1
    refused = train(world, "two", 2)
    assert refused.returncode != 0
    assert "holds a run; go on with it by --resume" in refused.stderr


def test_what_one_process_trains_is_refused(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    typed = ["train", "ensemble-binary", "--manifest", str(world / "manifest.csv"), "--out", str(world / "ensemble")]
    assert main(typed) == 2
    assert "ensemble-binary: is trained in one process; start it without torchrun" in capsys.readouterr().err


def test_one_process_by_itself() -> None:
    processes = Processes()
    assert processes.is_first
    done = []
    with processes.one_at_a_time():
        done.append(1)
    assert done == [1]
    assert processes.mean({"loss": 2.0}) == {"loss": 2.0}
    tensors = {"weight": torch.ones(2)}
    assert processes.as_first(tensors) is tensors
