"""Routes on an image that is kept behind the encoder: look at it, and correct its mask."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image

from dermoscope.images import ImageError, decode
from dermoscope.images.masks import LESION_ABOVE
from dermoscope.open_image import OpenImage, PromptError
from dermoscope.service.errors import ServiceError
from dermoscope.service.kept_images import KeptImage
from dermoscope.service.schemas import Evidence, Opened, Refined, Refinement, mask_now
from dermoscope.service.state import Service
from dermoscope.service.uploads import read_body


def images(service: Service) -> APIRouter:
    """Routes for a service."""
    router = APIRouter(prefix="/v1/images/{token}", tags=["images"])

    async def on_image(token: str, request: Request, work: Callable[[KeptImage], Any]) -> Any:
        image = service.kept.get(token)
        with service.work.place():
            async with image.turn:
                return await service.work.run(request, lambda: work(image))

    @router.get("")
    async def image(token: str) -> Opened:
        """The image as it stands."""
        kept = service.kept.get(token)
        return Opened(image=token, analysis=kept.analysis, segmentation=mask_now(kept.opened), measures=None)

    @router.get("/display.jpg", response_class=Response)
    async def display(token: str, request: Request, side: Annotated[int, Query(ge=16, le=4096)] = 1600) -> Response:
        """The pixels without metadata, for what a browser cannot show itself."""
        return Response(await on_image(token, request, lambda kept: _jpeg(kept.opened, side)), media_type="image/jpeg")

    @router.get("/mask.png", response_class=Response)
    async def mask(token: str, request: Request) -> Response:
        """The mask as it stands: 0 and 255, at the original size."""
        return Response(await on_image(token, request, lambda kept: _mask_png(kept.opened)), media_type="image/png")

    @router.get("/evidence")
    async def evidence(token: str, request: Request) -> Evidence:
        """Where the evidence for malignancy lies."""

        def seen(kept: KeptImage) -> Evidence:
            values = service.analyzer.evidence(kept.opened.encoded)
            return Evidence(
                rows=values.shape[0], columns=values.shape[1], values=values.round(4).tolist(), share_inside=None
            )

        found: Evidence = await on_image(token, request, seen)
        return found

    async def changed(token: str, request: Request, change: Callable[[OpenImage], object]) -> Refined:
        def work(kept: KeptImage) -> Refined:
            try:
                change(kept.opened)
            except PromptError as error:
                raise ServiceError(422, "bad-prompt", str(error)) from None
            return Refined(segmentation=mask_now(kept.opened), measures=None)

        refined: Refined = await on_image(token, request, work)
        return refined

    @router.post("/refine")
    async def refine(token: str, request: Request, given: Refinement) -> Refined:
        """Add clicks or a box; the answer is the new mask."""
        return await changed(
            token,
            request,
            lambda opened: opened.refine(
                [(x, y) for x, y, _ in given.points], [label for *_, label in given.points], box=given.box
            ),
        )

    @router.post("/undo")
    async def undo(token: str, request: Request) -> Refined:
        """Take the last step back; the mask of the analysis stays."""
        return await changed(token, request, lambda opened: opened.undo() if opened.steps > 1 else None)

    @router.post("/reset")
    async def reset(token: str, request: Request) -> Refined:
        """Go back to the mask that was found without clicks."""
        return await changed(token, request, lambda opened: opened.segment())

    @router.put("/mask")
    async def draw(token: str, request: Request) -> Refined:
        """Take a mask that a person drew, exactly as it is."""
        service.kept.get(token)
        limits = service.settings.limits
        data = await read_body(request, limits.file_bytes, limits.upload_seconds)
        return await changed(token, request, lambda opened: opened.draw(_drawn(data)))

    @router.delete("", status_code=204)
    async def drop(token: str) -> None:
        """Forget the image now."""
        service.kept.drop(token)

    return router


def _jpeg(opened: OpenImage, side: int) -> bytes:
    rgb = opened.rgb
    scale = min(1.0, side / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    shown = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8) if scale < 1 else rgb
    stream = io.BytesIO()
    Image.fromarray(shown).save(stream, format="JPEG", quality=90)
    return stream.getvalue()


def _mask_png(opened: OpenImage) -> bytes:
    if opened.result is None or opened.result.mask is None:
        shades = np.zeros((opened.height, opened.width), np.uint8)
    else:
        shades = opened.result.mask.astype(np.uint8) * np.uint8(255)
    return cv2.imencode(".png", shades)[1].tobytes()


def _drawn(data: bytes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    try:
        drawn = decode(data, name="mask", min_side=1)
    except ImageError as error:
        raise ServiceError(415, "not-an-image", str(error)) from None
    return np.asarray(drawn.rgb[..., 0] > LESION_ABOVE)
