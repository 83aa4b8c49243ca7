"""Keeping other people's warnings about odd files away from users, and from turning into errors."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_LOGGERS = ("pydicom", "highdicom")


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Silence what Pillow and the DICOM libraries say about a file inside the block; other warnings pass.

    Their warnings and log lines quote what they find in a file, which may be the name of a patient. Warning filters
    and loggers belong to the whole process, so threads take turns: keep the block short. It cannot be entered twice.
    """
    with _lock, warnings.catch_warnings(), ExitStack() as stack:
        warnings.filterwarnings("ignore", module=r"(PIL|pydicom|highdicom)\.")
        for name in _LOGGERS:
            stack.enter_context(_silent(logging.getLogger(name)))
        yield


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Take what the logger and those below it say; without any handler, logging would print it."""
    handler, propagate = logging.NullHandler(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)
