"""`dermoscope train` with a recipe for an ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.cli.exits import RESEARCH_USE
from dermoscope.cli.training_order import Order, UsageError

if TYPE_CHECKING:
    from dermoscope.training.ensemble_run import TrainedEnsemble
    from dermoscope.training.recipes import EnsembleRecipe


def order_ensemble(order: Order, recipe: EnsembleRecipe, members: tuple[Path, ...], *, quiet: bool) -> None:
    """Combine trained networks, and print what came out.

    Args:
        order: What was typed.
        recipe: The recipe that it stands for.
        members: Run folders of the networks.
        quiet: Whether to print nothing.

    Raises:
        UsageError: If there is no member.
    """
    from dermoscope.cli.evaluations import steps
    from dermoscope.training.ensemble_members import read_members
    from dermoscope.training.ensemble_run import train_ensemble

    if not members:
        raise UsageError("--member: name the run folder of a network; give it once for each member")
    records = order.records(needs=("diagnosis", "split"))
    with steps(quiet=quiet) as on_step:
        on_step("reading what the members say", 0, 0)
        found = read_members(recipe, members, records, order.manifest)
        on_step("looking for leaks between splits", 0, 0)
        source: list[str | Path] = [part for member in members for part in ("--member", member)]
        with order.begin(records, (0,), source) as run:
            trained = train_ensemble(
                recipe,
                found,
                run,
                order.out,
                on_stage=lambda what: on_step(what, 0, 0),
                resamples=order.resamples,
            )
    if not quiet:
        _print(trained, recipe, order)


def _print(trained: TrainedEnsemble, recipe: EnsembleRecipe, order: Order) -> None:
    from rich.console import Console
    from rich.text import Text

    from dermoscope.cli.training_scores import print_scores
    from dermoscope.evaluation.report.document import interval, number
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{recipe.name}: {len(trained.members)} members on {', '.join(trained.description.crops)}")
    print_scores(console, trained.scores, trained.recalls)
    if trained.fitted:
        console.print("The ensemble was fitted on these very images, so that they flatter it.", style="yellow")
    for name, accuracy in trained.members.items():
        console.print(Text(f"Accuracy of {name} alone: {number(accuracy)}"))
    gain = trained.gain
    console.print(f"Accuracy beside its best member: {gain.value:+.3f}, {interval(gain)}")
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    console.print(
        Text(
            f"Score its test images: dermoscope evaluate {printable(order.out)} --manifest "
            f"{printable(order.manifest)} --out {printable(order.out)}/test"
        )
    )
    console.print(RESEARCH_USE, style="dim")
