"""`dermoscope train` with a recipe for a network with class activation maps."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE
from dermoscope.cli.training_order import Order

if TYPE_CHECKING:
    from dermoscope.training.cam_run import TrainedNetwork
    from dermoscope.training.recipes import CAMRecipe

_SHOWN = ("training loss", "loss", "accuracy", "balanced accuracy")


def order_network(
    order: Order,
    recipe: CAMRecipe,
    weights: Path | None,
    cache: Path,
    masks: Path | None,
    start: Path | None,
    *,
    quiet: bool,
) -> None:
    """Train a network, show how it goes, and print what came out.

    Args:
        order: What was typed.
        recipe: The recipe that it stands for.
        weights: Pretrained weights of the backbone; none where it goes on from a run.
        cache: Folder for crops.
        masks: Folder of predicted masks, if any.
        start: Run of a network to go on from, if any.
        quiet: Whether to print nothing.
    """
    from dermoscope.cli.evaluations import steps
    from dermoscope.cli.training_progress import TrainingProgress
    from dermoscope.training.cam_run import crops_of, train_network
    from dermoscope.training.processes import Processes

    processes = Processes()
    quiet = quiet or not processes.is_first
    processes.wait()  # all have seen the run folder as it was before the first one begins to write

    # Masks are asked for later, of those images alone that have an answer to the question.
    records = order.records(needs=("diagnosis", "split"))
    with steps(quiet=quiet) as on_step:
        on_step("looking for leaks between splits", 0, 0)
        shown = TrainingProgress(on_step, kept="crops", scores=_SHOWN, quiet=quiet)
        source: list[str | Path] = ["--weights", weights] if weights else []
        source += ["--masks", masks] if masks else []
        source += ["--start", start] if start else []
        with order.begin(records, (recipe.seed,), source, start) if processes.is_first else nullcontext() as run:
            trained = train_network(
                recipe,
                records,
                weights,
                crops_of(recipe, records, cache, masks),
                run,
                order.out,
                start=start,
                announce=shown.announcements(),
                threads=order.jobs,
                resamples=order.resamples,
            )
    processes.leave()
    if not quiet:
        _print(trained, recipe, order)


def _print(trained: TrainedNetwork, recipe: CAMRecipe, order: Order) -> None:
    from rich.console import Console
    from rich.text import Text

    from dermoscope.cli.progress import duration
    from dermoscope.cli.training_scores import print_scores
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    samples = ", ".join(f"{name} {count:,}" for name, count in trained.samples.items())
    console.print(f"{recipe.name}: learnt from {samples}, {len(trained.epochs)} epochs, in {duration(trained.seconds)}")
    more = {"Correlation of maps and lesion": trained.correlation} if trained.correlation else {}
    print_scores(console, trained.scores, trained.recalls, more)
    if recipe.crops.masks != "none":
        console.print(f"Crops from masks: {recipe.crops.masks}")
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    console.print(
        Text(
            f"Score its test images: dermoscope evaluate {printable(order.out)} --manifest "
            f"{printable(order.manifest)} --out {printable(order.out)}/test"
        )
    )
    console.print(RESEARCH_USE, style="dim")
