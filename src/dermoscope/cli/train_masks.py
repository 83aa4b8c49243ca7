"""`dermoscope train` with a recipe for masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE
from dermoscope.cli.training_order import Order

if TYPE_CHECKING:
    from dermoscope.training.mask_run import TrainedMasks
    from dermoscope.training.recipes import MaskRecipe

_SHOWN = ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy")


def order_masks(
    order: Order, recipe: MaskRecipe, weights: Path, cache: Path, start: Path | None, *, quiet: bool
) -> None:
    """Train a model for masks, show how it goes, and print what came out.

    Args:
        order: What was typed.
        recipe: The recipe that it stands for.
        weights: Pretrained weights.
        cache: Folder for embeddings.
        start: Run folder to go on from, if any.
        quiet: Whether to print nothing.
    """
    from dermoscope.cli.evaluations import steps
    from dermoscope.cli.training_progress import TrainingProgress
    from dermoscope.training.mask_run import train_masks

    records = order.records(needs=("mask_path", "split"))
    with steps(quiet=quiet) as on_step:
        on_step("looking for leaks between splits", 0, 0)
        shown = TrainingProgress(on_step, kept="embeddings", quiet=quiet)
        source: list[str | Path] = ["--weights", weights]
        source += ["--start", start] if start else []
        with order.begin(records, (recipe.seed,), source) as run:
            trained = train_masks(
                recipe,
                records,
                weights,
                cache,
                run,
                order.out,
                announce=shown.announcements(),
                start=start,
                threads=order.jobs,
                resamples=order.resamples,
            )
    if not quiet:
        _print(trained, recipe, order)


def _print(trained: TrainedMasks, recipe: MaskRecipe, order: Order) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.cli.progress import duration
    from dermoscope.evaluation.report.document import interval, number
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    learnt = f"learnt from {trained.images:,} images, {len(trained.epochs)} epochs, in {duration(trained.seconds)}"
    console.print(f"{recipe.name}: {learnt}")
    estimate = trained.scores["auto"]["dice"].estimate
    console.print(f"Validation, {estimate.n:,} images of {estimate.groups:,} lesions, 95 % intervals by lesion:")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify)
    for source, found in trained.scores.items():
        for metric in _SHOWN:
            one = found[metric].estimate
            table.add_row(f"{metric.replace('_', ' ')}, prompt: {source}", number(one.value), interval(one))
    console.print(table)
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    if trained.description.goes_into_a_bundle:
        console.print(Text(f"Use it: dermoscope export {printable(order.out)} --out bundle"))
    console.print(RESEARCH_USE, style="dim")
