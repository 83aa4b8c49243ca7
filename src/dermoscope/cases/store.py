"""The case store: images that a person kept, what the model said of them, and what the person corrected.

One local folder, for its owner only:

    files/<2 digits>/<id>/   image.png, thumbnail.jpg, analysis.json, mask.png, corrected-<8 digits>.png
    table/                   LanceDB: id, times, label, note, search words, embedding
    unfinished/<id>          marker of a change that is not finished
    lock                     held while the store is open

Why pixels are not in LanceDB: deleting for good means that LanceDB writes its table anew (`dermoscope.cases.table`).
With some 1.5 KB a case that takes moments at 100,000 cases; with the pixels it would be gigabytes for every deletion. A
file is gone when it is unlinked. Blocks of a disk are not overwritten; encrypt the disk if that matters to you.

How a change is whole or not at all: marker, files, then one transaction of the table, which is what makes it so; then
what is not needed any more is removed, and the marker. A file is never overwritten. Opening the store looks at the
markers: files without a row are removed, files that a row does not name as well. So a process may be killed at any
moment (a power cut may lose the last seconds, for nothing waits for the disk).

Ids are random. No path and no name of a file is kept, and pixels are encoded anew, so no metadata either. What a person
writes into a note is kept as it is.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis
from dermoscope.cases.case import (
    UNCHANGED,
    Case,
    CasePage,
    SimilarCase,
    Unchanged,
    is_corrected,
    iso_time,
    words_of,
)
from dermoscope.cases.checks import (
    check_analysis,
    check_embedding,
    check_image,
    check_label,
    check_limit,
    check_mask,
    check_note,
)
from dermoscope.cases.errors import CaseNotFoundError
from dermoscope.cases.export import ExportedCase, export_cases
from dermoscope.cases.files import ANALYSIS, IMAGE, MASK, THUMBNAIL, CaseFiles, new_corrected_name
from dermoscope.cases.pictures import image_png, mask_png, thumbnail_jpeg
from dermoscope.cases.table import CaseRow, CaseTable


class CaseStore:
    """The cases in one folder. Threads may share it; a second process is refused.

    Args:
        folder: Made if need be; where a process was killed, its unfinished changes are cleaned up.

    Raises:
        StoreError: If LanceDB is missing, another process has the folder open, or it holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self._change = threading.RLock()
        self._files = CaseFiles(folder)
        try:
            self._table = CaseTable(self._files.table)
            for case_id in self._files.unfinished():
                self._clean_up(case_id)
            self._files.close_to_others()
            self._last_created = self._table.last_created()
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes open the folder; the store cannot be used after that."""
        with self._change:
            self._files.close()

    def add(
        self,
        image: NDArray[np.uint8],
        analysis: Analysis,
        embedding: NDArray[np.float32],
        mask: NDArray[np.bool_] | None,
        *,
        label: str | None = None,
        note: str = "",
        mask_corrected: bool = False,
    ) -> Case:
        """Keep an image. Once this returns, the case outlives a killed process.

        Args:
            image: RGB `[H, W, 3]`.
            analysis: What the model said; its path and image id are not kept. Its `bundle` says whose embedding it is.
            embedding: `[256]`, finite and not all zero.
            mask: The present mask `[H, W]`, or none.
            label: Diagnosis code, if a person gave one.
            note: At most 2,000 characters.
            mask_corrected: Whether a person drew or corrected the mask.

        Raises:
            ValueError: If an argument does not fit; the message names it.
            StoreError: If it cannot be written.
        """
        check_label(label)
        check_note(note)
        check_image(image)
        height, width = image.shape[:2]
        check_analysis(analysis, height, width)
        check_embedding(embedding)
        if mask is not None:
            check_mask(mask, height, width)
        elif mask_corrected:
            raise ValueError("mask_corrected: there is no mask; an empty one says that there is no lesion")
        case_id = uuid.uuid4().hex
        kept = analysis.model_copy(update={"image_id": case_id, "path": ""})
        mask_name = "" if mask is None else new_corrected_name() if mask_corrected else MASK
        files = {
            IMAGE: image_png(image),
            THUMBNAIL: thumbnail_jpeg(image),
            ANALYSIS: kept.model_dump_json().encode(),
        }
        if mask is not None:
            files[mask_name] = mask_png(mask)
        with self._changing(case_id, mask_name):
            for name, data in files.items():
                self._files.write(case_id, name, data)
            now = self._last_created = max(_now(), self._last_created + 1)
            row = CaseRow(case_id, now, now, label, note, mask_name, mask_corrected)
            corrected = is_corrected(kept, label, mask_corrected)
            self._table.add(row, kept.bundle, embedding, words_of(kept, label, note), corrected)
        return _case(row, kept)

    def get(self, case_id: str) -> Case:
        """A case.

        Raises:
            CaseNotFoundError: If there is none of that id.
        """
        with self._change:
            return self._case(self._row(case_id))

    def list(
        self, *, search: str = "", label: str | None = None, limit: int = 50, before: str | None = None
    ) -> CasePage:
        """Cases, the newest first.

        Args:
            search: Text that must occur in label, note, most probable diagnosis or its group; case does not matter.
            label: Only cases with this label.
            limit: How many at most, from 1.
            before: Id of a case: only older ones.

        Raises:
            ValueError: If an argument does not fit.
            CaseNotFoundError: If there is no case `before`.
        """
        check_label(label)
        check_limit(limit)
        with self._change:
            time_before = self._row(before).created if before is not None else None
            found = self._table.newest(search=search, label=label, before=time_before, limit=limit)
            cases = self._cases(found.ids)
        return CasePage(cases, found.ids[-1] if found.more else None, found.total)

    def image(self, case_id: str) -> bytes:
        """The pixels as PNG.

        Raises:
            CaseNotFoundError: If there is no such case.
        """
        return self._files.read(case_id, IMAGE)

    def thumbnail(self, case_id: str) -> bytes:
        """A small JPEG, at most 256 pixels on the long side.

        Raises:
            CaseNotFoundError: If there is no such case.
        """
        return self._files.read(case_id, THUMBNAIL)

    def mask(self, case_id: str) -> bytes | None:
        """The present mask as PNG of 0 and 255 in the size of the image, or none.

        Raises:
            CaseNotFoundError: If there is no such case.
        """
        with self._change:
            name = self._row(case_id).mask
            return self._files.read(case_id, name) if name else None

    def correct(
        self,
        case_id: str,
        *,
        label: str | Unchanged | None = UNCHANGED,
        note: str | Unchanged = UNCHANGED,
        mask: NDArray[np.bool_] | Unchanged = UNCHANGED,
    ) -> Case:
        """Change a case; what is not given stays as it is.

        Args:
            case_id: The case.
            label: Diagnosis code; none takes the label away.
            note: At most 2,000 characters; empty takes it away.
            mask: `[H, W]`, as a person drew it; the model's own mask is kept beside it.

        Raises:
            ValueError: If an argument does not fit.
            CaseNotFoundError: If there is no such case.
            StoreError: If it cannot be written.
        """
        if not isinstance(label, Unchanged):
            check_label(label)
        if not isinstance(note, Unchanged):
            check_note(note)
        with self._change:
            row = self._row(case_id)
            analysis = self._analysis(case_id)
            drawn = None
            if not isinstance(mask, Unchanged):
                check_mask(mask, analysis.height or 0, analysis.width or 0)
                drawn = mask_png(mask)
            row = replace(
                row,
                changed=max(_now(), row.changed + 1),
                label=row.label if isinstance(label, Unchanged) else label,
                note=row.note if isinstance(note, Unchanged) else note,
                mask=new_corrected_name() if drawn is not None else row.mask,
                mask_corrected=row.mask_corrected or drawn is not None,
            )
            with self._changing(case_id, row.mask):
                if drawn is not None:
                    self._files.write(case_id, row.mask, drawn)
                corrected = is_corrected(analysis, row.label, row.mask_corrected)
                self._table.replace(row, words_of(analysis, row.label, row.note), corrected)
        return _case(row, analysis)

    def delete(self, case_id: str) -> None:
        """Remove a case for good: afterwards no file holds its pixels, mask, note, label or embedding.

        Raises:
            CaseNotFoundError: If there is no such case.
            StoreError: If it cannot be removed; opening the store again finishes what was begun.
        """
        with self._change:
            self._row(case_id)
            with self._changing(case_id, None):
                self._table.remove(case_id)

    def similar(
        self, embedding: NDArray[np.float32], *, model: str, limit: int = 6, exclude: str | None = None
    ) -> tuple[SimilarCase, ...]:
        """The cases whose embeddings have the smallest angle to one, the nearest first; every case is compared.

        Args:
            embedding: `[256]`.
            model: Fingerprint of the bundle that made it; embeddings of others are never compared.
            limit: How many at most, from 1.
            exclude: Id of a case to leave out, such as the one that is shown.

        Raises:
            ValueError: If an argument does not fit.
        """
        check_embedding(embedding)
        check_limit(limit)
        with self._change:
            found = dict(self._table.nearest(embedding, model, limit, exclude))
            return tuple(SimilarCase(case, min(max(found[case.id], 0.0), 2.0)) for case in self._cases(list(found)))

    def export(self, out: Path | BinaryIO, *, corrected: bool = False) -> int:
        """Write cases as a data set that `dermoscope data split` and `train` read, with `manifest.csv`.

        Labels are those of a person, never the model's guess. Of all cases the present masks are written. Of the
        corrected ones only what a person said is: with `corrected`, a mask that the model drew stays behind.

        Args:
            out: A new or empty folder, a file that ends in `.zip`, or a stream for a zip archive.
            corrected: Only cases whose mask a person drew, or whose label is not the model's most probable diagnosis.

        Returns:
            How many cases were written; cases that are deleted meanwhile are left out.

        Raises:
            StoreError: If it cannot be written there.
        """
        with self._change:
            ids = self._table.newest(corrected=corrected).ids
        return export_cases(self._exported(ids, only_corrected=corrected), out)

    def _exported(self, ids: Sequence[str], *, only_corrected: bool) -> Iterator[ExportedCase]:
        for case_id in reversed(ids):
            with contextlib.suppress(CaseNotFoundError), self._change:
                row = self._row(case_id)
                has_mask = row.mask_corrected if only_corrected else bool(row.mask)
                mask = self._files.read(case_id, row.mask) if has_mask else None
                case = ExportedCase(case_id, self._files.read(case_id, IMAGE), mask, row.label or "")
            yield case

    @contextlib.contextmanager
    def _changing(self, case_id: str, mask: str | None) -> Iterator[None]:
        """A change of one case, after which its mask has this name (empty without one), or none if the case is gone."""
        with self._change:
            self._files.begin(case_id)
            try:
                yield
            except BaseException:
                self._clean_up(case_id)
                raise
            self._files.finish(case_id, mask)
            self._files.close_to_others()

    def _clean_up(self, case_id: str) -> None:
        row = self._table.find([case_id]).get(case_id)
        self._files.finish(case_id, None if row is None else row.mask)

    def _row(self, case_id: str) -> CaseRow:
        self._files.path(case_id, IMAGE)  # refuses what is no id
        row = self._table.find([case_id]).get(case_id)
        if row is None:
            raise CaseNotFoundError(case_id)
        return row

    def _cases(self, ids: Sequence[str]) -> tuple[Case, ...]:
        rows = self._table.find(ids)
        return tuple(self._case(rows[case_id]) for case_id in ids)

    def _case(self, row: CaseRow) -> Case:
        return _case(row, self._analysis(row.id))

    def _analysis(self, case_id: str) -> Analysis:
        return Analysis.model_validate_json(self._files.read(case_id, ANALYSIS))


def _case(row: CaseRow, analysis: Analysis) -> Case:
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


def _now() -> int:
    return time.time_ns() // 1000
