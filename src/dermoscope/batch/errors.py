"""The two ways a whole batch can end early. What goes wrong with one image is that image's row instead."""

from __future__ import annotations


class BatchUsageError(ValueError):
    """The run was asked for in a way that cannot work; the message names the argument and the way out."""


class OutputError(OSError):
    """The output folder cannot be written or read back; the message names it and the way out."""
