"""What `dermoscope evaluate` and `dermoscope compare` share: the progress of their steps, and how their errors end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dermoscope.cli.exits import ExitCode, fail

OnStep = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is."""

Result = TypeVar("Result")


def carry_out(work: Callable[[OnStep], Result], *, out: Path | None, quiet: bool) -> Result | ExitCode:
    """Do the work of a command and show how it goes on; an error is printed for a person and becomes an exit code.

    Args:
        work: From what to call as the steps go on to what was found.
        out: The folder that it writes; none if it writes nothing.
        quiet: Whether to print nothing but errors.
    """
    from dermoscope.evaluation.problems import InputError
    from dermoscope.evaluation.report import OutputExistsError

    try:
        with steps(quiet=quiet) as on_step:
            return work(on_step)
    except OutputExistsError as error:
        return fail(str(error), ExitCode.USAGE)
    except InputError as error:
        return fail(str(error))
    except OSError as error:
        reason = error.strerror or str(error)
        if out is None:
            return fail(f"cannot read {error.filename or 'a file'}: {reason}")
        return fail(f"cannot write to {out}: {reason}; free some space or choose another --out")


@contextmanager
def steps(*, quiet: bool) -> Iterator[OnStep]:
    """What to call as the steps of a long work go on; a bar on a terminal, nothing elsewhere.

    Args:
        quiet: Whether to show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
