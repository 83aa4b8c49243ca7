"""UIDs of new objects."""

from __future__ import annotations

from pydicom.uid import UID, generate_uid


def new_uid() -> UID:
    """A random UID below 2.25, which needs no registered root (PS3.5, B.2)."""
    return generate_uid(prefix=None)
