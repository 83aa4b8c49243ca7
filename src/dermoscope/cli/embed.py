"""`dermoscope embed`."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.batches import origin_of
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail
from dermoscope.cli.machine import available_cores

if TYPE_CHECKING:
    from dermoscope.encoders.folder import EncoderDescription, EncoderFolder
    from dermoscope.features.embed import EmbedProgress, EmbedSummary
    from dermoscope.features.local_engine import LocalEngine
    from dermoscope.features.plan import Plan
    from dermoscope.features.ray_engine import RayEngine

Switch = Annotated[bool, Parameter(show_default=False)]


def embed(
    manifest: Path,
    /,
    *,
    encoder: Path,
    store: str,
    views: str = "original",
    columns: str = "mean",
    spatial: Switch = False,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    jobs: int | None = None,
    precision: Literal["auto", "float32"] = "auto",
    quiet: Switch = False,
    json: Switch = False,
) -> int:
    """Store what a frozen encoder says of every image of a manifest. Research use only, not a medical device.

    For example, the features of five views of every image, and later of the images that are new:

    dermoscope embed manifest.csv --encoder sam2-tiny --store features --views thesis

    Only what is missing is computed: run the same command again after an interruption, after more images came, or on a
    second machine at the same time. Labels stay in the manifest.

    Needs the store extra: pip install "dermoscope[store]", and for --engine ray: pip install "dermoscope[store,ray]".

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some images failed, 130 interrupted.

    Args:
        manifest: The manifest, as dermoscope data manifest writes it.
        encoder: Folder of the encoder, as dermoscope models export-encoder writes it.
        store: A local folder, or s3://…, gs://…, az://… with credentials from the environment.
        views: original, thesis (original, hflip, rot90, rot180, rot270), or names with commas between; vflip too.
        columns: With commas between: mean (the feature), std and max of the embedding, levels (of all maps).
        spatial: Store the embeddings themselves too, in half precision; refused where the disk is too small.
        engine: local runs on this machine, ray on a Ray cluster, with the same bits.
        address: Of a running Ray cluster; by default RAY_ADDRESS in the environment, or one is started on this machine.
        jobs: Images at once, by default one per core; with ray, workers of one core each, on a running cluster by
            default one per CPU that is free there; one that has fewer is given time to grow.
        precision: auto computes in bfloat16 where the processor has it; float32 never does. One store holds one kind.
        quiet: Print nothing but errors.
        json: Print the closing summary as JSON.
    """
    from dermoscope.cli.stopping import stop_on_signal
    from dermoscope.data.manifest import read_manifest
    from dermoscope.encoders.folder import EncoderFolder
    from dermoscope.engine import EngineError
    from dermoscope.features.embed import embed as embed_records
    from dermoscope.features.encoder import title_of
    from dermoscope.features.errors import CoresError, StoreError
    from dermoscope.features.extraction import Failed
    from dermoscope.features.ray_cluster import free_cores

    if jobs is not None and jobs < 1:
        return fail(f"--jobs: needs 1 or more, not {jobs}", ExitCode.USAGE)
    if address is not None and engine != "ray":
        return fail("--address goes with --engine ray", ExitCode.USAGE)
    try:
        chosen = _names("--views", views), _names("--columns", columns)
    except ValueError as error:
        return fail(str(error), ExitCode.USAGE)
    origin = origin_of(jobs)
    try:
        records = list(read_manifest(manifest))
        folder = EncoderFolder.load(encoder)
        if jobs is None:
            jobs = (free_cores(address) if engine == "ray" else None) or available_cores()
        runner = _engine(folder, engine, address, jobs, precision)
        plans: list[Plan] = []

        def on_plan(plan: Plan) -> None:
            plans.append(plan)
            if not quiet:
                print(_announced(plan, folder.description), file=sys.stderr, flush=True)

        def on_failure(failed: Failed) -> None:
            print(f"dermoscope: {failed.line}", file=sys.stderr, flush=True)

        with stop_on_signal() as stop, _display([str(one.path) for one in records], quiet=quiet) as on_progress:
            summary = embed_records(
                records,
                folder,
                runner,
                store,
                views=chosen[0],
                columns=chosen[1],
                spatial=spatial,
                stop=stop,
                on_plan=on_plan,
                on_failure=on_failure,
                on_progress=on_progress,
            )
    except OSError as error:
        return fail(f"{error.filename or manifest}: {error.strerror}" if error.strerror else str(error))
    except CoresError as error:
        return fail(f"{error}; {origin}")
    except (StoreError, EngineError, ValueError, ImportError) as error:
        return fail(str(error))
    code = ExitCode.INTERRUPTED if summary.interrupted else ExitCode.PARTLY if summary.failed else ExitCode.DONE
    if json:
        described = {
            **asdict(summary),
            "store": store,
            "encoder": title_of(folder.description),
            "bytes_predicted": plans[0].bytes_needed,
            "exit_code": int(code),
            "notice": RESEARCH_USE,
        }
        print(json_format.dumps(described, indent=2))
    elif not quiet:
        _print_summary(summary, store)
    return code


def _names(option: str, given: str) -> tuple[str, ...]:
    """What an option names, each once."""
    from dermoscope.features.columns import COLUMNS
    from dermoscope.images.symmetries import THESIS_VIEWS, VIEWS

    if option == "--views" and given == "thesis":
        return THESIS_VIEWS
    known = VIEWS if option == "--views" else COLUMNS
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"{option}: {unknown[0] if unknown else given!r} is none of {', '.join(known)}")
    return names


def _engine(
    folder: EncoderFolder,
    engine: Literal["local", "ray"],
    address: str | None,
    jobs: int,
    precision: Literal["auto", "float32"],
) -> LocalEngine | RayEngine:
    if engine == "ray":
        from dermoscope.features.ray_engine import RayEngine

        return RayEngine(folder, jobs=jobs, address=address, precision=precision)
    from dermoscope.features.local_engine import LocalEngine

    return LocalEngine(folder, jobs=jobs, precision=precision)


@contextmanager
def _display(paths: list[str], *, quiet: bool) -> Iterator[Callable[[EmbedProgress], None]]:
    """Rate and time left in images, as `dermoscope analyze` shows them."""
    from dermoscope.batch import Progress
    from dermoscope.cli.progress import progress_display

    with progress_display(paths, quiet=quiet) as show:
        yield lambda now: show(Progress(now.done + now.failed + now.finished, now.done, now.failed, now.finished))


def _announced(plan: Plan, encoder: EncoderDescription) -> str:
    from dermoscope.features.encoder import title_of
    from dermoscope.features.plan import megabytes

    free = "" if plan.bytes_free is None else f" of {megabytes(plan.bytes_free)} free"
    return (
        f"{title_of(encoder)}: {plan.finished:,} images are stored, {len(plan.items):,} are to do: {plan.rows:,} rows, "
        f"some {megabytes(plan.bytes_needed)}{free}"
    )


def _print_summary(summary: EmbedSummary, store: str) -> None:
    from dermoscope.cli.progress import duration

    print(f"{summary.done:,} images embedded in {duration(summary.seconds)}, {summary.rows:,} rows written to {store}")
    if summary.finished:
        print(f"{summary.finished:,} were stored already")
    if summary.failed:
        print(f"{summary.failed:,} failed, each with its reason above")
    if summary.other_versions:
        print(f"The store also holds features of {', '.join(summary.other_versions)}; they stay, and are not mixed in")
    if summary.interrupted:
        print("Interrupted. Run the same command again to go on: finished images are skipped.")
    print(RESEARCH_USE)
