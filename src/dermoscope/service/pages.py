"""The page: a literal table of files of the package, so that no path of a request ever reaches the disk."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response

from dermoscope.service.errors import ServiceError

_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def page_files() -> dict[str, tuple[Traversable, str]]:
    """Every file of the page with its media type, by its path below `static`."""
    found: dict[str, tuple[Traversable, str]] = {}

    def walk(folder: Traversable, above: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{above}{entry.name}/")
            elif (kind := _TYPES.get(entry.name[entry.name.rfind(".") :])) and not entry.name.startswith("."):
                found[above + entry.name] = (entry, kind)

    walk(resources.files("dermoscope.service") / "static", "")
    return found


def pages() -> APIRouter:
    """Routes of the page."""
    router = APIRouter(include_in_schema=False)
    files = page_files()

    def sent(name: str) -> Response:
        if name not in files:
            raise ServiceError(404, "not-found", "the page has no such file")
        file, kind = files[name]
        return Response(file.read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})

    @router.get("/")
    async def index() -> Response:
        return sent("index.html")

    @router.get("/static/{name:path}")
    async def static(name: str) -> Response:
        return sent(name)

    return router
