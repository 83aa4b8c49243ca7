"""`dermoscope evaluate`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.evaluations import carry_out
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.evaluation.report import Run

Switch = Annotated[bool, Parameter(show_default=False)]


def evaluate(
    results: Path,
    /,
    *,
    manifest: Path,
    out: Path,
    masks: Path | None = None,
    prompt: Literal["auto", "jittered-box", "ground-truth-box"] | None = None,
    split: str = "test",
    source: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    positive: str | None = None,
    validation: Path | None = None,
    validation_split: str = "val",
    gate: Path | None = None,
    gate_threshold: float | None = None,
    independent_scores: Switch = False,
    estimate_skin_tone: Switch = False,
    store: str | None = None,
    keep_names: Switch = False,
    resamples: int = 1000,
    seed: int = 0,
    overwrite: Switch = False,
    quiet: Switch = False,
) -> int:
    """Score predictions against a manifest and write a report. Research use only, not a medical device.

    For example, the results of dermoscope analyze on test images, with thresholds chosen on validation images:

    dermoscope evaluate results --manifest manifest.csv --validation results-val --out evaluation

    A head that dermoscope train has made, with its training curves and a map of its features; its own validation
    images choose the thresholds:

    dermoscope evaluate runs/group --manifest manifest.csv --store features --out evaluation

    Two such heads, scored as one: skin or not, and what the first lets through by the second:

    dermoscope evaluate runs/group --gate runs/gate --manifest manifest.csv --out evaluation

    Then open evaluation/report.html. Beside it lie metrics.json, tables.md, tables.tex, predictions.csv and figures.
    A table of your own needs image_id and one column of probabilities a class, named by its code: MEL, NV, BCC and so
    on. Official ISIC submissions are read as they are. If anything is wrong with the input, all of it is listed by
    file, row and column, and nothing is written.

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some images had no result, 130 interrupted.

    Args:
        results: A results folder of dermoscope analyze, a run folder of dermoscope train, a table of predictions, or a
            folder of masks.
        manifest: The truth, as dermoscope data makes it.
        out: Folder for the evaluation; must be new.
        masks: Folder of predicted masks, named by image id; by default those that the results name.
        prompt: Where the prompts of the masks came from; needed with --masks. Say auto for a model without prompts.
        split: The split to score.
        source: Score this data set of the manifest only; may be given again.
        positive: What counts as positive: graz, not-nevus, melanoma, isic2019, or a diagnosis code.
        validation: Predictions for validation images, for thresholds, temperature and prediction sets.
        validation_split: The split of those images.
        gate: Run folder or predictions of a skin gate, to put in front of the results: p_skin of every image scored.
        gate_threshold: Refuse images below this p_skin; by default of greatest balanced accuracy on the validation
            images, 0.5 without any.
        independent_scores: The scores of an image need not sum to one; nothing is said about calibration then.
        estimate_skin_tone: Estimate skin tones from the images for the subgroups; reads every image.
        store: Map the features of a run of dermoscope train, out of this store; takes about a minute.
        keep_names: Show image ids in the gallery.
        resamples: Of every bootstrap.
        seed: Of every bootstrap.
        overwrite: Replace an earlier evaluation in the output folder.
        quiet: Print nothing but errors.
    """
    from dermoscope.evaluation.report import Request, Settings
    from dermoscope.evaluation.report import evaluate as run_evaluation
    from dermoscope.taxonomy import CODE_NAMES, MALIGNANCY_DEFINITIONS, NOT_SKIN, UNKNOWN

    known = [*MALIGNANCY_DEFINITIONS, *(code for code in CODE_NAMES if code not in (NOT_SKIN, UNKNOWN))]
    if positive is not None and positive not in known:
        return fail(f"--positive: unknown {positive!r}; known: {', '.join(known)}", ExitCode.USAGE)
    if resamples < 1:
        return fail(f"--resamples: must be at least 1, not {resamples}", ExitCode.USAGE)
    if masks is not None and not masks.is_dir():
        return fail(f"--masks: {masks} is no folder", ExitCode.USAGE)
    if masks is not None and prompt is None:
        return fail("--prompt: say where the prompts of --masks came from; auto where there were none", ExitCode.USAGE)
    if gate_threshold is not None and gate is None:
        return fail("--gate-threshold: needs the predictions of a gate; give them with --gate", ExitCode.USAGE)
    if gate_threshold is not None and not 0 <= gate_threshold <= 1:
        return fail(f"--gate-threshold: must be from 0 to 1, not {gate_threshold}", ExitCode.USAGE)
    request = Request(
        results=results,
        manifest=manifest,
        out=out,
        masks=masks,
        prompt=prompt,
        split=split,
        sources=source,
        positive=positive,
        validation=validation,
        validation_split=validation_split,
        gate=gate,
        gate_threshold=gate_threshold,
        independent_scores=independent_scores,
        estimate_skin_tone=estimate_skin_tone,
        store=store,
        overwrite=overwrite,
        command=shlex.join(["dermoscope", *sys.argv[1:]]),
    )
    run = carry_out(
        lambda on_step: run_evaluation(
            request, Settings(resamples=resamples, seed=seed, keep_names=keep_names, on_progress=on_step)
        ),
        out=out,
        quiet=quiet,
    )
    if isinstance(run, ExitCode):
        return run
    if not quiet:
        _print(run)
    return ExitCode.PARTLY if run.unanswered else ExitCode.DONE


def _print(run: Run) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.evaluation.report.document import interval, number
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column()
    table.add_column(style="dim")
    for tile in run.tiles:
        if isinstance(tile.value, str):
            table.add_row(tile.label, tile.value, "", tile.detail)
        else:
            table.add_row(tile.label, number(tile.value.value), interval(tile.value), tile.detail)
    console.print(table)
    if run.unanswered:
        console.print(
            f"{run.unanswered:,} images could not be analysed and are missing from all numbers", style="yellow"
        )
    if run.left_out:
        console.print(Text(printable(run.left_out)))
    console.print(Text(f"\nLook here first: {printable(run.out / 'report.html')}", style="bold"))
    console.print(Text(f"For scripts:     {printable(run.out / 'metrics.json')}"))
    console.print(RESEARCH_USE, style="dim")
