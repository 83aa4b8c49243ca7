"""The application: rooms put together behind one door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dermoscope import __version__
from dermoscope.service.about import about
from dermoscope.service.analyses import analyses
from dermoscope.service.errors import add_error_handlers
from dermoscope.service.images import images
from dermoscope.service.pages import pages
from dermoscope.service.protocols import ServedAnalyzer
from dermoscope.service.security import Door
from dermoscope.service.settings import Settings
from dermoscope.service.state import Service


def create_app(analyzer: ServedAnalyzer, settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        analyzer: The model, loaded.
        settings: Where it listens and within which limits; loopback by default.
    """
    service = Service(analyzer, settings or Settings())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.work.close()

    app = FastAPI(
        title="dermoscope",
        version=__version__,
        description="Skin images in; lesion mask, lesion group, calibrated malignancy risk and explanation out. "
        "Research use only, not a medical device.",
        docs_url=None,  # the page behind it loads its scripts from a CDN
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    for router in (pages(), about(service), analyses(service), images(service)):
        app.include_router(router)
    add_error_handlers(app)
    app.add_middleware(Door, settings=service.settings)
    return app
