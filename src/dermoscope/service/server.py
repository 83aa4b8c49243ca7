"""Runs the application with uvicorn until it is told to stop."""

from __future__ import annotations

import threading
import webbrowser

import uvicorn

from dermoscope.service.app import create_app
from dermoscope.service.protocols import ServedAnalyzer
from dermoscope.service.settings import Settings


def serve(analyzer: ServedAnalyzer, settings: Settings, *, open_browser: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; what is in work is finished.

    Args:
        analyzer: The model, loaded.
        settings: Where to listen, for whom, and within which limits.
        open_browser: Whether to show the page as soon as it can be reached.
    """
    app = create_app(analyzer, settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=round(settings.limits.stop_seconds),
    )
    address = f"http://{settings.host}:{settings.port}/"
    print(f"dermoscope listens on {address}", flush=True)
    if open_browser:
        threading.Timer(1.0, webbrowser.open, (address,)).start()
    uvicorn.Server(config).run()
