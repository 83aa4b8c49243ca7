"""`dermoscope train` with a recipe for a network that looks twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE
from dermoscope.cli.training_order import Order

if TYPE_CHECKING:
    from dermoscope.training.recipes import TwoLooksRecipe
    from dermoscope.training.two_looks_run import TrainedLooks

_SHOWN = ("training loss", "loss", "mean AUC", "balanced accuracy")


def order_looks(
    order: Order,
    recipe: TwoLooksRecipe,
    weights: Path | None,
    cache: Path,
    masks: Path | None,
    start: Path | None,
    *,
    quiet: bool,
) -> None:
    """Train both looks, show how it goes, and print what the second was worth.

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
    from dermoscope.training.run_folder import RunFolder
    from dermoscope.training.two_looks_run import train_two_looks

    records = order.records(needs=("diagnosis", "split"))
    with steps(quiet=quiet) as on_step:
        on_step("looking for leaks between splits", 0, 0)
        shown = TrainingProgress(on_step, kept="crops", scores=_SHOWN, quiet=quiet)
        source: list[str | Path] = ["--weights", weights] if weights else []
        source += ["--masks", masks] if masks else []
        source += ["--start", start] if start else []
        with order.begin(records, (recipe.first.seed,), source, start) as run:
            trained = train_two_looks(
                recipe,
                records,
                weights,
                cache,
                lambda place: RunFolder(place, run.record),
                run,
                order.out,
                masks=masks,
                start=start,
                announce=shown.announcements(),
                threads=order.jobs,
                resamples=order.resamples,
            )
    if not quiet:
        _print(trained, recipe, order)


def _print(trained: TrainedLooks, recipe: TwoLooksRecipe, order: Order) -> None:
    from rich.console import Console
    from rich.text import Text

    from dermoscope.cli.training_scores import print_scores
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    whole = sum(trained.whole.values())
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(trained.whole.items()))
    console.print(f"{recipe.name}: {trained.images:,} images looked at twice, {whole:,} of them as a whole", end="")
    console.print(f" ({reasons})" if reasons else "")
    more = {f"Mean AUC, {name}": one for name, one in trained.auc.items()}
    more |= {f"Gain of the {name}": one for name, one in trained.gain.items()}
    print_scores(console, trained.scores, trained.recalls, more)
    console.print(f"The answer is that of the recipe: {recipe.answer}")
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    console.print(
        Text(
            f"Score its test images: dermoscope evaluate {printable(order.out)} --manifest "
            f"{printable(order.manifest)} --out {printable(order.out)}/test"
        )
    )
    console.print(RESEARCH_USE, style="dim")
