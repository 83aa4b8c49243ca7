"""`POST /v1/analyses`: from uploaded files to their analyses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from dermoscope.analysis import Analysis
from dermoscope.batch.results import encode_mask, encode_picture
from dermoscope.images import ImageError
from dermoscope.images.sniffing import readable_format
from dermoscope.measures import LEAST_MM_PER_PIXEL, MOST_MM_PER_PIXEL
from dermoscope.open_image import OpenImage
from dermoscope.service.archive import ResultFiles, results_zip
from dermoscope.service.errors import ServiceError, internal_error, refusals
from dermoscope.service.kept_images import KeptImage
from dermoscope.service.observing import LOG
from dermoscope.service.schemas import Result, Results
from dermoscope.service.state import Service
from dermoscope.service.uploads import FIELD, SCALE_FIELD, read_images

ZIP = "application/zip"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"One file or several, all in the field `{FIELD}`; and the size of a pixel, where it is known.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "additionalProperties": False,
                    "properties": {
                        FIELD: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
                        SCALE_FIELD: {
                            "type": "number",
                            "minimum": LEAST_MM_PER_PIXEL,
                            "maximum": MOST_MM_PER_PIXEL,
                            "description": "Millimetres from one pixel to the next, so that diameters have a unit; "
                            "where a DICOM file says it itself, that counts.",
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True)
class _Wanted:
    """What a client wants beside the analysis."""

    keep: bool
    files: bool
    pictures: bool
    frame: int
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class _Analyzed:
    """One file's result, and what a client is told instead if it was the only file."""

    files: ResultFiles
    opened: OpenImage | None = None
    refusal: ServiceError | None = None


def analyses(service: Service) -> APIRouter:
    """Routes for a service."""
    router = APIRouter(prefix="/v1", tags=["analyses"])

    @router.post(
        "/analyses",
        response_model=Results,
        openapi_extra=_FORM,
        responses={
            200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}},
            **refusals(415, 429, 500, 504),
        },
    )
    async def analyze(
        request: Request,
        keep: Annotated[bool, Query(description="Keep each image for a while, for clicks.")] = False,
        frame: Annotated[int, Query(ge=1, le=1_000_000, description="Which frame of DICOM files, from 1.")] = 1,
        pictures: Annotated[bool, Query(description="Add pictures with outline and evidence to the archive.")] = False,
    ) -> Results | Response:
        """Analyse images: one result a file, in their order.

        Names of files are ignored. A file that cannot be read is a result with status `failed`, unless it is the only
        one: then the answer is 415 or 422. With `Accept: application/zip` the answer is the files that
        `dermoscope analyze` writes.
        """
        archive = ZIP in request.headers.get("accept", "")
        with service.work.place():
            uploaded = await read_images(request, service.settings.limits)
            files = uploaded.files
            wanted = _Wanted(keep and not archive, archive, archive and pictures, frame, uploaded.spacing_mm)
            found = [await _answer(service, request, index, file, wanted) for index, file in enumerate(files)]
            if len(files) == 1 and found[0].refusal:
                raise found[0].refusal
            if archive:
                data = await service.work.run(request, lambda: results_zip([one.files for one in found]))
                name = "attachment; filename=dermoscope-results.zip"
                return Response(data, media_type=ZIP, headers={"Content-Disposition": name})
        results = []
        for index, (file, one) in enumerate(zip(files, found, strict=True)):
            analysis, token = one.files.analysis, None
            if one.opened:
                token = service.kept.add(KeptImage(file, one.opened, analysis, analysis.measures, frame))
            results.append(Result(index=index, analysis=analysis, image=token))
        return Results(results=results)

    return router


async def _answer(service: Service, request: Request, index: int, file: bytes, wanted: _Wanted) -> _Analyzed:
    start = time.perf_counter()
    found = await service.work.run(request, lambda: _analyzed(service, f"image-{index}", file, wanted))
    service.metrics.observe_analysis(time.perf_counter() - start)
    return found


def _analyzed(service: Service, image_id: str, file: bytes, wanted: _Wanted) -> _Analyzed:
    try:
        outcome = service.analyzer.analyze(
            file,
            image_id=image_id,
            frame=wanted.frame,
            picture=wanted.pictures,
            evidence=True,
            keep_open=wanted.keep,
            spacing_mm=wanted.spacing_mm,
        )
    except ImageError as error:
        is_image = readable_format(file) is not None
        status, code = (422, "unreadable-image") if is_image else (415, "not-an-image")
        return _failed(image_id, ServiceError(status, code, str(error)))
    except Exception:  # one image that breaks the analyzer must not take the others with it
        LOG.exception("an analysis failed")
        return _failed(image_id, internal_error())
    mask = encode_mask(outcome.mask) if wanted.files and outcome.mask is not None else None
    picture = encode_picture(outcome.picture) if outcome.picture is not None else None
    return _Analyzed(ResultFiles(outcome.analysis, mask, picture), outcome.opened)


def _failed(image_id: str, refusal: ServiceError) -> _Analyzed:
    return _Analyzed(ResultFiles(Analysis.failed(image_id, "", refusal.detail)), refusal=refusal)
