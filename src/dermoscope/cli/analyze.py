"""`dermoscope analyze`."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.batches import code_of, jobs_for, origin_of, print_summary
from dermoscope.cli.bundles import BundleName
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail
from dermoscope.cli.stopping import stop_on_signal

if TYPE_CHECKING:
    from dermoscope.analyzer import Analyzer
    from dermoscope.batch import BatchSummary
    from dermoscope.batch.ray_analyzer import RayAnalyzer
    from dermoscope.engine import EngineName, Precision

Switch = Annotated[bool, Parameter(show_default=False)]


def analyze(
    paths: list[str],
    /,
    *,
    out: Path = Path("dermoscope-results"),
    frame: int = 1,
    mm_per_pixel: float | None = None,
    dicom: Switch = False,
    bundle: BundleName = None,
    mode: str | None = None,
    operating_point: str | None = None,
    jobs: int | None = None,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    no_pictures: Switch = False,
    no_masks: Switch = False,
    no_report: Switch = False,
    overwrite: Switch = False,
    max_pixels: int | None = None,
    inference: Literal["openvino", "onnxruntime"] | None = None,
    precision: Literal["auto", "float32"] = "auto",
    quiet: Switch = False,
    json: Switch = False,
) -> int:
    """Analyse images and write masks, pictures, tables and a report. Research use only, not a medical device.

    For example, every image below the folder photos and every PNG below archive, two at a time:

    dermoscope analyze photos 'archive/**/*.png' --out results --jobs 2

    Then open results/report.html; results/results.csv holds the same for scripts. Run the same command again after an
    interruption: finished images are skipped, failed and changed ones are tried again.

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some inputs failed, 130 interrupted.

    Args:
        paths: Files, folders (searched to any depth) and quoted patterns; ** stands for any folders.
        out: Folder for the results.
        frame: Which frame of DICOM files with several, counted from 1.
        mm_per_pixel: Size of a pixel in millimetres, such as 0.02, for all images, so that diameters come in
            millimetres, too; where a DICOM file says it itself, that counts. With --dicom, the area in .sr.dcm has this
            scale and says so; .seg.dcm has that of its image alone.
        dicom: Write results of DICOM images as DICOM, too: dicom/<image_id>.seg.dcm, the mask, and .sr.dcm, the
            findings. They name the patient as the image does; nothing else that is written does.
        bundle: See `BundleName`.
        mode: Which mode of the model answers, such as fast or best; by default its first.
        operating_point: Which operating point of the mode flags malignancy, such as 'malignancy (graz), sensitivity
            0.90'; by default the mode's own. dermoscope models show lists them.
        jobs: Images analysed at once; by default one for a handful of images, else one per core, at most four; on a
            running cluster one per CPU that is free there; one that has fewer is given time to grow.
        engine: local runs on this machine, ray in actors of a Ray cluster, which have the model loaded; needs
            pip install "dermoscope[ray]".
        address: Of a running cluster, such as auto or ray://head:10001; by default RAY_ADDRESS in the environment, or
            one is started on this machine.
        no_pictures: Draw no pictures, which is faster.
        no_masks: Write no mask files.
        no_report: Write no report.html.
        overwrite: Remove earlier results from the output folder first.
        max_pixels: Refuse larger images, by their header, before they are decoded; by default 64 million.
        inference: Engine that computes; by default the fastest one installed.
        precision: auto computes in bfloat16 where the processor has it; float32 never does.
        quiet: Print nothing but errors.
        json: Print the closing summary as JSON.
    """
    from dermoscope.batch import BatchUsageError, OutputError, analyze_batch
    from dermoscope.batch.inputs import check_paths
    from dermoscope.cli.progress import progress_display
    from dermoscope.dicom import DicomExtraError, require_highdicom
    from dermoscope.engine import EngineError
    from dermoscope.features.errors import CoresError, StoreError
    from dermoscope.features.ray_cluster import free_cores
    from dermoscope.images import MAX_PIXELS
    from dermoscope.model_folder import BundleError
    from dermoscope.report import write_report

    if address is not None and engine != "ray":
        return fail("--address: goes with --engine ray", ExitCode.USAGE)
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    origin = origin_of(jobs)
    report = None if no_report else out / "report.html"
    try:
        if dicom:
            require_highdicom()
        check_paths(paths)
        if jobs is None:
            jobs = jobs_for(paths, free_cores(address) if engine == "ray" else None)
        analyzer = _loaded(
            engine,
            bundle,
            max(jobs, 1),
            mode=mode,
            operating_point=operating_point,
            address=address,
            inference=inference,
            precision=precision,
            limit=limit,
        )
        with stop_on_signal() as stop, progress_display(paths, quiet=quiet) as on_progress:
            summary = analyze_batch(
                paths,
                out,
                analyzer,
                frame=frame,
                mm_per_pixel=mm_per_pixel,
                dicom=dicom,
                jobs=jobs,
                pictures=not no_pictures,
                masks=not no_masks,
                overwrite=overwrite,
                stop=stop,
                on_progress=on_progress,
            )
        if report and not summary.interrupted:
            write_report(out / "results.jsonl", report, bundle=analyzer.describe())
    except BatchUsageError as error:
        return fail(str(error), ExitCode.USAGE)
    except CoresError as error:
        return fail(f"{error}; {origin}")
    except (OutputError, BundleError, EngineError, DicomExtraError, StoreError) as error:
        return fail(str(error))
    code = code_of(summary)
    if json:
        print(json_format.dumps(_as_json(summary, report, code), indent=2))
    elif not quiet:
        look = [path for path in (report, out / "results.csv") if path]
        print_summary(summary, verb="analysed", table="results.csv", totals=_totals(summary), look=look)
    return code


def _loaded(
    engine: Literal["local", "ray"],
    bundle: str | None,
    jobs: int,
    *,
    mode: str | None,
    operating_point: str | None,
    address: str | None,
    inference: EngineName | None,
    precision: Precision,
    limit: int,
) -> Analyzer | RayAnalyzer:
    if engine == "ray":
        from dermoscope.batch.ray_analyzer import RayAnalyzer

        return RayAnalyzer(
            bundle,
            mode=mode,
            operating_point=operating_point,
            jobs=jobs,
            address=address,
            engine=inference,
            precision=precision,
            max_pixels=limit,
        )
    from dermoscope.analyzer import load_analyzer

    return load_analyzer(
        bundle,
        mode=mode,
        operating_point=operating_point,
        engine=inference,
        precision=precision,
        streams=jobs,
        max_pixels=limit,
    )


def _as_json(summary: BatchSummary, report: Path | None, code: ExitCode) -> dict[str, object]:
    finished = not summary.interrupted
    return {
        **asdict(summary),
        "out": str(summary.out),
        "seconds": round(summary.seconds, 3),
        "results": str(summary.out / "results.jsonl"),
        "table": str(summary.out / "results.csv") if finished else None,
        "report": str(report) if report and finished else None,
        "exit_code": int(code),
        "notice": RESEARCH_USE,
    }


def _totals(summary: BatchSummary) -> list[tuple[int, str, str]]:
    if summary.totals is None:
        return []
    return [
        (summary.totals.not_skin, "not skin", "no answer given"),
        (summary.totals.withheld, "withheld", "no answer given, for the reason in results.csv"),
        (summary.totals.withheld_flagged, "of them flagged", "no answer is no all-clear: have them looked at"),
        (summary.totals.flagged, "flagged", "malignancy risk at or above the operating point"),
    ]
