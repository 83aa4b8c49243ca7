"""The application: rooms put together behind one door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dermoscope import __version__
from dermoscope.service.about import about
from dermoscope.service.analyses import analyses
from dermoscope.service.cases import cases
from dermoscope.service.errors import add_error_handlers
from dermoscope.service.images import images
from dermoscope.service.intake import Intake
from dermoscope.service.lingering import Lingering
from dermoscope.service.observing import Observer
from dermoscope.service.pages import pages
from dermoscope.service.security import Door
from dermoscope.service.state import Service


def create_app(service: Service) -> FastAPI:
    """A service as an ASGI application.

    Args:
        service: With its model loaded.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="dermoscope",
        version=__version__,
        description="Skin images in; lesion mask, lesion group, calibrated malignancy risk and explanation out. "
        "Research use only, not a medical device.",
        docs_url=None,  # the page behind it loads its scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        # FastAPI would send traces wherever a variable of the environment tells it to.
        telemetry={
            "auto_configure": False,
            "logs": False,
            "metrics": False,
            "operation_spans": False,
            "tracing": False,
        },
    )
    for router in (pages(), about(service), analyses(service), images(service), cases(service)):
        app.include_router(router)
    add_error_handlers(app)
    # Added last is outermost.
    app.add_middleware(Intake, service=service)
    app.add_middleware(Door, settings=service.settings)
    app.add_middleware(Lingering, most_bytes=service.settings.limits.body_bytes)
    app.add_middleware(Observer, metrics=service.metrics)
    return app
