"""`dermoscope serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.exits import ExitCode, fail
from dermoscope.cli.machine import available_cores

Switch = Annotated[bool, Parameter(show_default=False)]


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8008,
    bundle: Path | None = None,
    token_file: Path | None = None,
    open: Annotated[bool, Parameter(negative="--no-open", show_default=False)] = False,
    jobs: int | None = None,
    engine: Literal["openvino", "onnxruntime"] | None = None,
    precision: Literal["auto", "float32"] = "auto",
) -> int:
    """Serve a local page and a REST interface. Research use only, not a medical device.

    For example, on this machine alone, and with the page opened in the browser:

    dermoscope serve --open

    Needs the serve extra: pip install "dermoscope[serve]".

    Args:
        host: Address to listen on; any but a loopback address needs a token.
        port: Port to listen on.
        bundle: Folder of a model bundle; by default the model inside the package.
        token_file: File that holds the token, at least 16 characters on one line; by default a new one is printed.
        open: Show the page in the browser.
        jobs: Images computed at once; by default one per core, at most four.
        engine: Inference engine; by default the fastest one installed.
        precision: auto computes in bfloat16 where the processor has it; float32 never does.
    """
    try:
        from dermoscope.service.server import serve as run
        from dermoscope.service.settings import Limits, Settings
    except ImportError as error:
        return fail(f'{error.name} is not installed; run: pip install "dermoscope[serve]"')
    from dermoscope.analyzer import load_analyzer

    jobs = min(available_cores(), 4) if jobs is None else jobs
    analyzer = load_analyzer(bundle, engine=engine, precision=precision, streams=jobs)
    run(analyzer, Settings(host=host, port=port, limits=Limits(workers=jobs)), open_browser=open)
    return ExitCode.DONE
