"""`dermoscope serve`."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.bundles import BundleName
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail
from dermoscope.cli.machine import available_cores

if TYPE_CHECKING:
    from dermoscope.cases import CaseStore

Switch = Annotated[bool, Parameter(show_default=False)]

_MOST_JOBS = 4


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8008,
    name: list[str] | None = None,
    token_file: Path | None = None,
    cases: Path | None = None,
    no_history: Switch = False,
    open: Annotated[bool, Parameter(negative="--no-open", show_default=False)] = False,
    bundle: BundleName = None,
    mode: str | None = None,
    operating_point: str | None = None,
    jobs: int | None = None,
    queue: int = 16,
    max_pixels: int | None = None,
    inference: Literal["openvino", "onnxruntime"] | None = None,
    precision: Literal["auto", "float32"] = "auto",
    quiet: Switch = False,
) -> int:
    """Serve a page and a REST interface on this machine. Research use only, not a medical device.

    For example, for this machine alone, and with the page shown in the browser:

    dermoscope serve --open

    Images stay in memory and are forgotten after ten minutes; only those that somebody keeps are written, to the folder
    of cases. Other machines are served only with a token, which is printed at the start or read from a file:

    dermoscope serve --host 0.0.0.0 --token-file token.txt

    The interface is described at /openapi.json. Ctrl-C or SIGTERM finishes what is in work.

    Needs the serve extra: pip install "dermoscope[serve]", and to keep cases: pip install "dermoscope[serve,store]".

    Exit codes: 0 stopped, 1 failed, 2 wrong usage.

    Args:
        host: Address to listen on; any other than a loopback address needs a token.
        port: Port to listen on; 0 takes any that is free.
        name: Further name that browsers may call the service by, such as that of a proxy before it.
        token_file: File with the token on its first line: 16 or more letters, digits or . _ ~ -.
        cases: Folder for the images that somebody keeps; by default dermoscope/cases among the data of your account.
        no_history: Let nobody keep an image.
        open: Show the page in the browser.
        bundle: See `BundleName`.
        mode: Which mode of the model answers, such as fast or best; by default its first.
        operating_point: Which operating point of the mode flags malignancy, such as 'malignancy (graz), sensitivity
            0.90'; by default the mode's own. dermoscope models show lists them.
        jobs: Images computed at once; by default one per core, at most four.
        queue: Requests that may wait; further ones are told to try again later.
        max_pixels: Refuse larger images, by their header, before they are decoded; by default 64 million.
        inference: Engine that computes; by default the fastest one installed.
        precision: auto computes in bfloat16 where the processor has it; float32 never does.
        quiet: Log warnings and errors alone, not every request.
    """
    try:
        from dermoscope.service.server import listen
        from dermoscope.service.server import serve as run
        from dermoscope.service.settings import Limits, Settings, is_loopback
        from dermoscope.service.state import Service
    except ModuleNotFoundError as error:
        return fail(f'{error.name} is not installed; run: pip install "dermoscope[serve]"')
    from dermoscope.analyzer import load_analyzer
    from dermoscope.engine import EngineError
    from dermoscope.features.errors import StoreError
    from dermoscope.images import MAX_PIXELS
    from dermoscope.model_folder import BundleError

    jobs = min(available_cores(), _MOST_JOBS) if jobs is None else jobs
    if jobs < 1:
        return fail(f"--jobs: needs 1 or more, not {jobs}", ExitCode.USAGE)
    if queue < 0:
        return fail(f"--queue: needs 0 or more, not {queue}", ExitCode.USAGE)
    try:
        token = _token(token_file, needed=not is_loopback(host))
        limits = Limits(workers=jobs, queue=queue)
        Settings(host=host, port=port, token=token)
    except OSError as error:
        return fail(f"--token-file: {error.filename}: {error.strerror}", ExitCode.USAGE)
    except ValueError as error:
        return fail(str(error), ExitCode.USAGE)
    try:
        listener = listen(host, port)
    except OSError as error:
        return fail(f"cannot listen on {host}, port {port}: {error.strerror}; choose another with --host or --port")
    with listener:
        try:
            analyzer = load_analyzer(
                bundle,
                mode=mode,
                operating_point=operating_point,
                engine=inference,
                precision=precision,
                streams=jobs,
                max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
            )
        except (BundleError, EngineError) as error:
            return fail(str(error))
        settings = Settings(
            host=host, port=listener.getsockname()[1], names=tuple(name or ()), token=token, limits=limits
        )
        try:
            store, off = _history(cases, no_history=no_history)
        except StoreError as error:
            return fail(f"{error}, or start with --no-history")
        page = f"{settings.address}?token={token}" if token else settings.address
        # A token from a file is somebody's secret already; one made here must be told once.
        print(f"Listening on {settings.address if token_file else page}\n{RESEARCH_USE}", flush=True)
        with store or nullcontext():
            service = Service(analyzer, settings, cases=store, history_off=off)
            run(service, listener, open_page=page if open else "", quiet=quiet)
    return ExitCode.DONE


def _token(file: Path | None, *, needed: bool) -> str:
    if file is not None:
        token = file.read_text(encoding="utf-8").partition("\n")[0].strip()
        if not token:
            raise ValueError(f"--token-file: {file} has no token on its first line")
        return token
    return secrets.token_urlsafe(24) if needed else ""


def _history(folder: Path | None, *, no_history: bool) -> tuple[CaseStore | None, str]:
    """The store of cases, or none and why."""
    if no_history:
        return None, "the history is off; start the service without --no-history"
    if find_spec("lancedb") is None:
        return None, 'the history needs LanceDB; run: pip install "dermoscope[serve,store]", and start again'
    from platformdirs import user_data_path

    from dermoscope.cases import CaseStore

    return CaseStore(folder or user_data_path("dermoscope", appauthor=False) / "cases"), ""
