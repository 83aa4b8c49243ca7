"""What can be wrong with a case; a store that cannot be used raises `dermoscope.features.errors.StoreError`."""

from __future__ import annotations


class CaseNotFoundError(LookupError):
    """There is no case of that id, or no longer."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id[:40]!r}; it may have been deleted: list the cases again")
