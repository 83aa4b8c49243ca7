from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from dermoscope.batch.errors import OutputError
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.recipes.schema import OneCyclePart, OptimiserPart, PlateauPart
from dermoscope.training.schedules import build_optimiser, build_schedule
from dermoscope.training.trainer_state import CheckpointError, TrainerState, load_state, save_state


def state(schedule: OneCyclePart | PlateauPart, inputs: str = "abc") -> TrainerState[HeadEpoch]:
    torch.manual_seed(0)
    head = nn.Linear(3, 2)
    optimiser = build_optimiser(OptimiserPart(), head.parameters())
    moved = build_schedule(schedule, optimiser, 10)
    head(torch.randn(4, 3)).square().mean().backward()
    optimiser.step()
    moved.after_step()
    moved.after_epoch(0.1 + 0.2)
    line = HeadEpoch(head="h", seed=0, epoch=1, metrics={"loss": 0.1 + 0.2}, confusion=((1, 2), (3, 4)))
    assert moved.scheduler
    return TrainerState(
        inputs=inputs,
        history=(line,),
        best_epoch=1,
        finished=False,
        model=head.state_dict(),
        best={name: tensor + 1 for name, tensor in head.state_dict().items()},
        optimiser=optimiser.state_dict(),
        schedule=moved.scheduler.state_dict(),
    )


@pytest.mark.parametrize("schedule", [OneCyclePart(kind="one-cycle"), PlateauPart(kind="plateau")])
def test_there_and_back(schedule: OneCyclePart | PlateauPart, tmp_path: Path) -> None:
    given = state(schedule)
    save_state(given, tmp_path / "seed-0.safetensors")
    back = load_state(tmp_path / "seed-0.safetensors", "abc", HeadEpoch)
    assert back
    assert back.history == given.history
    assert (back.best_epoch, back.finished) == (1, False)
    for ours, theirs in ((back.model, given.model), (back.best, given.best)):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for number, slots in given.optimiser["state"].items():
        assert all(torch.equal(back.optimiser["state"][number][name], tensor) for name, tensor in slots.items())
    assert back.optimiser["param_groups"][0]["lr"] == given.optimiser["param_groups"][0]["lr"]
    assert back.schedule["_last_lr"] == given.schedule["_last_lr"]
    assert back.schedule.keys() == given.schedule.keys()


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent", "abc", HeadEpoch) is None


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    save_state(state(PlateauPart(kind="plateau")), tmp_path / "it")
    with pytest.raises(CheckpointError, match="of another training: recipe, encoder, manifest or features differ"):
        load_state(tmp_path / "it", "abd", HeadEpoch)


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_checkpoint_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    save_state(state(PlateauPart(kind="plateau")), path)
    content = {
        "cut": path.read_bytes()[:-9],
        "empty": b"",
        "other": safetensors.torch.save({"a": torch.ones(1)}),
    }[damage]
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"it is damaged .* remove it to start again"):
        load_state(path, "abc", HeadEpoch)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it"
    save_state(state(PlateauPart(kind="plateau")), path)
    before = path.read_bytes()

    def full(_: Path, __: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OutputError, match="free some space"):
            save_state(state(OneCyclePart(kind="one-cycle")), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["it"]
