"""The command `dermoscope`. Each group of commands has its own file, which imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from dermoscope import __version__
from dermoscope.cli import analyze, compare, embed, evaluate, export, info, segment, serve, similar, train
from dermoscope.cli.cases import cases
from dermoscope.cli.data import data
from dermoscope.cli.exits import ExitCode
from dermoscope.cli.models import models

app = App(
    name="dermoscope",
    help="From skin images to lesion mask, lesion group, calibrated malignancy risk and explanation. "
    "Research use only, not a medical device.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    result_action="return_value",
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
_COMMANDS = (
    analyze.analyze,
    segment.segment,
    serve.serve,
    data,
    embed.embed,
    train.train,
    export.export,
    evaluate.evaluate,
    compare.compare,
    similar.similar,
    cases,
    info.info,
    models,
)
for _command in _COMMANDS:
    app.command(_command)  # a function, or the `App` of a group of commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, see `ExitCode`.

    Args:
        arguments: What follows `dermoscope` on the command line; that of this process if left out.
    """
    try:
        code = app(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        try:
            print(flush=True)  # a standard output that nobody reads says so again
        except BrokenPipeError:  # whoever reads, such as `head`, has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the last flush of all would fail, too
            return ExitCode.FAILED
        raise  # another pipe than that
    except CycloptsError:  # already printed
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.DONE
