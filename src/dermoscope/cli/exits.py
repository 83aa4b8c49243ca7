"""Exit codes. They are a promise to scripts."""

from __future__ import annotations

import sys
from enum import IntEnum

RESEARCH_USE = "Research use only, not a medical device."


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The code in words."""
        return {
            ExitCode.DONE: "all done",
            ExitCode.FAILED: "failed",
            ExitCode.USAGE: "wrong usage",
            ExitCode.PARTLY: "done, but some inputs failed; each is named in the results with its reason",
            ExitCode.INTERRUPTED: "interrupted; the same command goes on where it stopped",
        }[self]


def fail(message: str, code: ExitCode = ExitCode.FAILED) -> ExitCode:
    """Print an error for a person and hand the exit code on."""
    print(f"dermoscope: {message}", file=sys.stderr)
    return code
