"""`dermoscope segment`."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.batches import code_of, jobs_for, print_summary
from dermoscope.cli.bundles import BundleName
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail
from dermoscope.cli.stopping import stop_on_signal

if TYPE_CHECKING:
    from dermoscope.batch import BatchSummary
    from dermoscope.batch.given_prompts import GivenPrompt

Switch = Annotated[bool, Parameter(show_default=False)]


def segment(
    paths: list[str],
    /,
    *,
    out: Path = Path("dermoscope-masks"),
    point: list[str] | None = None,
    box: str | None = None,
    prompts: Path | None = None,
    pieces: Literal["one", "several"] = "one",
    edges: Switch = False,
    flips: Switch = False,
    gate: Switch = False,
    pictures: Switch = False,
    frame: int = 1,
    dicom: Switch = False,
    bundle: BundleName = None,
    jobs: int | None = None,
    overwrite: Switch = False,
    max_pixels: int | None = None,
    inference: Literal["openvino", "onnxruntime"] | None = None,
    precision: Literal["auto", "float32"] = "auto",
    quiet: Switch = False,
    json: Switch = False,
) -> int:
    """Write lesion masks, with outlines and a confidence each. Research use only, not a medical device.

    For example, a mask for every image below the folder photos, without drawing a box; and one from two clicks, the
    first on the lesion and the second on the background:

    dermoscope segment photos --out masks

    dermoscope segment mole.jpg --out mole --point 210,180 --point 20,25,0

    Then masks/masks/<image_id>.png holds 0 outside and 255 inside, at the size of the original; segments.csv has a row
    for each image, segments.jsonl the outlines too, and coco.json the same for annotation tools. Run the same command
    again after an interruption: finished images are skipped.

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some inputs failed, 130 interrupted.

    Args:
        paths: Files, folders (searched to any depth) and quoted patterns; ** stands for any folders.
        out: Folder for the results.
        point: A click as x,y or x,y,label in pixels, label 1 on the lesion, 0 on the background; for a single image.
        box: A box around the lesion as left,top,right,bottom in pixels; for a single image.
        prompts: A .csv or .json file with clicks and boxes for many images; those it does not name need none.
        pieces: one keeps the largest piece of a mask; several keeps every piece from a fifth of the largest on.
        edges: Snap outlines to edges of the image.
        flips: Average over the image and its mirror image, which takes nearly twice as long.
        gate: Make no mask where the image does not look like skin; without it p_skin is only reported.
        pictures: Draw each image with its outline.
        frame: Which frame of DICOM files with several, counted from 1.
        dicom: Write results of DICOM images as DICOM, too: dicom/<image_id>.seg.dcm. It names the
            patient as the image does; nothing else that is written does.
        bundle: See `BundleName`.
        jobs: Images segmented at once; by default one for a handful of images, else one per core, at most four.
        overwrite: Remove earlier results from the output folder first.
        max_pixels: Refuse larger images, by their header, before they are decoded; by default 64 million.
        inference: Engine that computes; by default the fastest one installed.
        precision: auto computes in bfloat16 where the processor has it; float32 never does.
        quiet: Print nothing but errors.
        json: Print the closing summary as JSON.
    """
    from dermoscope.batch import BatchUsageError, OutputError
    from dermoscope.batch.inputs import check_paths
    from dermoscope.batch.segmentations import segment_batch
    from dermoscope.cli.progress import progress_display
    from dermoscope.dicom import DicomExtraError, require_highdicom
    from dermoscope.engine import EngineError, available_engines
    from dermoscope.images import MAX_PIXELS
    from dermoscope.model_folder import BundleError
    from dermoscope.open_image import MaskOptions
    from dermoscope.segmenter import load_segmenter

    limit = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        if dicom:
            require_highdicom()
        check_paths(paths)
        given = _given(paths, point or [], box, prompts)
        jobs = jobs_for(paths) if jobs is None else jobs
        segmenter = load_segmenter(
            bundle,
            engine=inference,
            precision=precision,
            streams=max(jobs, 1),
            max_pixels=limit,
            options=MaskOptions(gate=gate, pieces=pieces, edges=edges, flips=flips),
        )
        settings = {
            "max_pixels": limit,
            "engine": inference or next(iter(available_engines()), None),
            "precision": precision,
        }
        with stop_on_signal() as stop, progress_display(paths, quiet=quiet) as on_progress:
            summary = segment_batch(
                paths,
                out,
                segmenter,
                prompts=given,
                frame=frame,
                dicom=dicom,
                jobs=jobs,
                pictures=pictures,
                settings=settings,
                overwrite=overwrite,
                stop=stop,
                on_progress=on_progress,
            )
    except BatchUsageError as error:
        return fail(str(error), ExitCode.USAGE)
    except (OutputError, BundleError, EngineError, DicomExtraError) as error:
        return fail(str(error))
    code = code_of(summary)
    if json:
        print(json_format.dumps(_as_json(summary, code), indent=2))
    elif not quiet:
        look = [out / ("pictures" if pictures else "masks"), out / "segments.csv"]
        print_summary(summary, verb="segmented", table="segments.csv", totals=_totals(summary, gate), look=look)
    return code


def _given(
    paths: Sequence[str], point: Sequence[str], box: str | None, prompts: Path | None
) -> Mapping[bytes, GivenPrompt]:
    """The prompts of the command line, or of the file, by the input that they belong to."""
    from dermoscope.batch import BatchUsageError, find_inputs
    from dermoscope.batch.given_prompts import GivenPrompt, match_prompts, read_prompts
    from dermoscope.segment.user_prompts import PromptError, check_box

    if prompts is not None:
        if point or box:
            raise BatchUsageError("--prompts goes with neither --point nor --box; write them into the file")
        return match_prompts(read_prompts(prompts), paths)
    if not point and box is None:
        return {}
    inputs = list(islice(find_inputs(paths), 2))
    if len(inputs) != 1:
        raise BatchUsageError("--point and --box are for a single image; give clicks for many with --prompts")
    clicks = [_numbers("--point", text, (2, 3), "x,y or x,y,label") for text in point]
    labels = [int(click[2]) if len(click) == 3 else 1 for click in clicks]
    for text, click in zip(point, clicks, strict=True):
        if len(click) == 3 and click[2] not in (0, 1):
            raise BatchUsageError(f"--point {text}: the label is 1 on the lesion or 0 on the background")
    try:
        sides = None if box is None else check_box(_numbers("--box", box, (4,), "left,top,right,bottom"))
    except PromptError as error:
        raise BatchUsageError(f"--box {box}: {error}") from None
    points = tuple((click[0], click[1]) for click in clicks)
    return {inputs[0].location: GivenPrompt(points, tuple(labels), sides)}


def _numbers(option: str, text: str, counts: tuple[int, ...], form: str) -> list[float]:
    from dermoscope.batch import BatchUsageError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise BatchUsageError(f"{option} {text}: expected {form} in pixels")
    return numbers


def _totals(summary: BatchSummary, gate: bool) -> list[tuple[int, str, str]]:
    if summary.totals is None:
        return []
    not_skin = "no mask made" if gate else "looks like none; masked all the same, --gate leaves these out"
    return [
        (summary.totals.empty, "without a mask", "no lesion found"),
        (summary.totals.not_skin, "not skin", not_skin),
    ]


def _as_json(summary: BatchSummary, code: ExitCode) -> dict[str, object]:
    finished = not summary.interrupted
    return {
        **asdict(summary),
        "out": str(summary.out),
        "seconds": round(summary.seconds, 3),
        "results": str(summary.out / "segments.jsonl"),
        "table": str(summary.out / "segments.csv") if finished else None,
        "coco": str(summary.out / "coco.json") if finished else None,
        "masks": str(summary.out / "masks"),
        "exit_code": int(code),
        "notice": RESEARCH_USE,
    }
