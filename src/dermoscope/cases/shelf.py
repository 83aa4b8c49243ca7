"""Files and table of a store as one: what makes a change whole or not at all."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dermoscope.analysis import Analysis
from dermoscope.cases.case import Case, iso_time
from dermoscope.cases.errors import CaseNotFoundError
from dermoscope.cases.files import ANALYSIS, IMAGE, CaseFiles
from dermoscope.cases.table import CaseRow, CaseTable


class Shelf:
    """The cases in one folder, for one process. Whoever uses the table holds `lock`.

    Args:
        folder: Made if need be; unfinished changes of a killed process are cleaned up.

    Attributes:
        lock: Held by a thread while it looks or changes; may be taken again.
        files: The files.
        table: The table.

    Raises:
        StoreError: If the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.lock = threading.RLock()
        self.files = CaseFiles(folder)
        try:
            self.table = CaseTable(self.files.table)
            for case_id in self.files.unfinished():
                self._clean_up(case_id)
            self.files.close_to_others()
            self._last_time = self.table.last_created()
        except BaseException:
            self.files.close()
            raise

    @contextlib.contextmanager
    def changing(self, case_id: str, mask: str | None) -> Iterator[None]:
        """A change of one case, after which its mask has this name (empty without one), or none if the case is gone."""
        with self.lock:
            self.files.begin(case_id)
            try:
                yield
            except BaseException:
                self._clean_up(case_id)
                raise
            self.files.finish(case_id, mask)
            self.files.close_to_others()

    def next_time(self) -> int:
        """Now in microseconds since 1970, but later than every case, whatever the clock says."""
        self._last_time = max(now(), self._last_time + 1)
        return self._last_time

    def row(self, case_id: str) -> CaseRow:
        """The row of a case.

        Raises:
            CaseNotFoundError: If there is none of that id.
        """
        self.files.path(case_id, IMAGE)  # refuses what is no id
        row = self.table.find([case_id]).get(case_id)
        if row is None:
            raise CaseNotFoundError(case_id)
        return row

    def analysis(self, case_id: str) -> Analysis:
        """What the model said of a case that exists."""
        return Analysis.model_validate_json(self.files.read(case_id, ANALYSIS))

    def cases(self, ids: Sequence[str]) -> tuple[Case, ...]:
        """Cases that exist, in this order."""
        rows = self.table.find(ids)
        return tuple(case_of(rows[case_id], self.analysis(case_id)) for case_id in ids)

    def _clean_up(self, case_id: str) -> None:
        row = self.table.find([case_id]).get(case_id)
        self.files.finish(case_id, None if row is None else row.mask)


def case_of(row: CaseRow, analysis: Analysis) -> Case:
    """A case from its row and its analysis."""
    return Case(
        id=row.id,
        created=iso_time(row.created),
        changed=iso_time(row.changed),
        analysis=analysis,
        label=row.label,
        label_source="person" if row.label else "",
        note=row.note,
        mask_corrected=row.mask_corrected,
        has_mask=bool(row.mask),
    )


def now() -> int:
    """Microseconds since 1970, UTC, as the clock says."""
    return time.time_ns() // 1000
