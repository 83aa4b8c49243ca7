"""`POST /v1/analyses`: from uploaded files to their analyses."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from dermoscope.analysis import Analysis
from dermoscope.analyzer import Outcome
from dermoscope.images import ImageError
from dermoscope.service.kept_images import KeptImage
from dermoscope.service.schemas import Result, Results
from dermoscope.service.state import Service
from dermoscope.service.uploads import FIELD, read_images

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}


def analyses(service: Service) -> APIRouter:
    """Routes for a service."""
    router = APIRouter(prefix="/v1", tags=["analyses"])

    @router.post("/analyses", openapi_extra=_FORM)
    async def analyze(
        request: Request, keep: Annotated[bool, Query(description="Keep each image for clicks.")] = False
    ) -> Results:
        """Analyse one image or several. Names of files are ignored: results are known by their index."""
        with service.work.place():
            files = await read_images(request, service.settings.limits)
            results = []
            for index, file in enumerate(files):
                start = time.perf_counter()
                outcome = await service.work.run(request, lambda file=file: _analyzed(service, file, keep))
                service.metrics.observe_analysis(time.perf_counter() - start)
                token = None
                if outcome.opened:
                    token = service.kept.add(KeptImage(file, outcome.opened, outcome.analysis))
                results.append(Result(index=index, analysis=outcome.analysis, image=token))
        return Results(results=results)

    return router


def _analyzed(service: Service, file: bytes, keep: bool) -> Outcome:
    try:
        return service.analyzer.analyze(file, image_id="image", keep_open=keep)
    except ImageError as error:
        return Outcome(Analysis.failed("image", "", str(error)), None, None)
