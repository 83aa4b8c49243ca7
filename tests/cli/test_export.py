"""`dermoscope export` of what cannot be exported; what can be is tested beside what writes it, in `tests/training`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.cli import main
from dermoscope.training.recipes import load_recipe, recipe_text


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("cam-three-class", "holds no finished run of a network with class activation maps"),
        ("ensemble-binary", "holds no finished run of a network with class activation maps"),
        ("unet", "holds no finished run for masks"),
        ("group", "is the run of a head; export takes runs for masks, of networks and of ensembles"),
    ],
)
def test_an_unfinished_run_is_known_by_its_recipe(
    recipe: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(recipe_text(load_recipe(recipe)))
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", [None, "learns: chess\n"])
def test_a_run_without_a_recipe_is_known_by_its_files(
    recipe: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "network.json").write_text("{}")
    if recipe:
        (tmp_path / "recipe.yaml").write_text(recipe)
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "holds no finished run of a network" in capsys.readouterr().err
