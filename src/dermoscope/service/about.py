"""Routes that say how the service is; they answer at once, whatever is being computed."""

from __future__ import annotations

from importlib.util import find_spec

from fastapi import APIRouter, Response

from dermoscope import __version__
from dermoscope.service.errors import refusals
from dermoscope.service.metrics import CONTENT_TYPE
from dermoscope.service.schemas import Health, Models
from dermoscope.service.state import Service


def about(service: Service) -> APIRouter:
    """Routes for a service."""
    router = APIRouter(prefix="/v1", tags=["about"])
    reads_dicom = find_spec("pydicom") is not None
    described = service.analyzer.describe()

    @router.get("/health", responses=refusals())
    async def health() -> Health:
        """That the service runs, and what it can do."""
        return Health(
            version=__version__,
            bundle=service.analyzer.bundle.fingerprint,
            history=service.cases is not None,
            dicom=reads_dicom,
        )

    @router.get("/models", responses=refusals())
    async def models() -> Models:
        """The model bundle that answers, as its `bundle.json` describes it."""
        return Models(models=[{**described, "in_use": True}])

    @router.get(
        "/metrics",
        response_class=Response,
        responses={
            200: {"description": "Text 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **refusals(),
        },
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        work = service.work
        gauges: dict[str, tuple[str, float]] = {
            "dermoscope_running": ("Computations under way.", work.running),
            "dermoscope_waiting": ("Requests that upload or wait for a worker.", work.waiting),
            "dermoscope_kept_images": ("Images kept behind the encoder.", len(service.kept)),
        }
        refused: dict[str, tuple[str, float]] = {
            "dermoscope_refused_total": ("Requests refused because the queue was full.", work.refused)
        }
        return Response(service.metrics.text(gauges, refused), headers={"Content-Type": CONTENT_TYPE})

    return router
