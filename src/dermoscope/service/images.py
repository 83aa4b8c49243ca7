"""Routes on an image that is kept behind the encoder: look at it, and correct its mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response

from dermoscope.batch.results import encode_mask
from dermoscope.heads.evidence_place import place_evidence
from dermoscope.open_image import OpenImage
from dermoscope.segment.user_prompts import PromptError
from dermoscope.service.errors import ServiceError, refusals
from dermoscope.service.kept_images import KeptImage
from dermoscope.service.pictures import as_jpeg, drawn_mask, mask_of, measures_of
from dermoscope.service.schemas import Evidence, Opened, Refined, Refinement, mask_now
from dermoscope.service.state import Service
from dermoscope.service.uploads import read_file

MOST_CLICKS = 100
MOST_STEPS = 200
"""Of one image: a decoder's work grows with the clicks, and every step keeps a mask."""

T = TypeVar("T")
Token = Annotated[str, Path(description="From an analysis with `keep=true`.", max_length=64)]
PNG: dict[str, Any] = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
JPEG: dict[str, Any] = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
_LOOKED = refusals(404, 429, 500, 504)
_CHANGED = refusals(404, 409, 429, 500, 504)


def images(service: Service) -> APIRouter:
    """Routes for a service."""
    router = APIRouter(prefix="/v1/images/{token}", tags=["images"])

    async def on_image(token: str, request: Request, work: Callable[[KeptImage], T]) -> T:
        image = service.kept.get(token)
        with service.work.place():
            return await service.work.run(request, lambda: work(image), turn=image.turn)

    async def change(token: str, request: Request, step: Callable[[OpenImage], object]) -> Refined:
        def work(image: KeptImage) -> Refined:
            try:
                step(image.opened)
            except PromptError as error:
                raise ServiceError(422, "bad-prompt", str(error)) from None
            image.measures = measures_of(image.opened)
            return refined(image)

        answer = await on_image(token, request, work)
        service.kept.trim()
        return answer

    @router.get("", responses=refusals(404))
    async def image(token: Token) -> Opened:
        """The image as it stands."""
        kept = service.kept.get(token)
        now = refined(kept)
        return Opened(image=token, analysis=kept.analysis, segmentation=now.segmentation, measures=now.measures)

    @router.get("/display.jpg", response_class=Response, responses={200: {"content": JPEG}, **_LOOKED})
    async def display(
        token: Token,
        request: Request,
        side: Annotated[int, Query(ge=16, le=4096, description="Pixels of the long side, at most.")] = 1600,
    ) -> Response:
        """The pixels without metadata, for what a browser cannot show itself."""
        data = await on_image(token, request, lambda kept: as_jpeg(kept.opened.rgb, side))
        return Response(data, media_type="image/jpeg")

    @router.get("/mask.png", response_class=Response, responses={200: {"content": PNG}, **_LOOKED})
    async def mask(token: Token, request: Request) -> Response:
        """The mask as it stands: 0 and 255, at the original size; all 0 where there is none."""
        data = await on_image(token, request, lambda kept: encode_mask(mask_of(kept.opened)))
        return Response(data, media_type="image/png")

    @router.get("/evidence", responses=_LOOKED)
    async def evidence(token: Token, request: Request) -> Evidence:
        """Where the evidence for malignancy lies, and how much of it inside the mask as it stands."""

        def work(kept: KeptImage) -> Evidence:
            values = service.analyzer.evidence(kept.opened)
            place = place_evidence(values, mask_of(kept.opened))
            rows, columns = values.shape
            rounded = values.astype(float).round(4).tolist()
            share = place.share_inside if place and kept.measures else None
            return Evidence(rows=rows, columns=columns, values=rounded, share_inside=share)

        return await on_image(token, request, work)

    @router.post("/refine", responses=_CHANGED)
    async def refine(token: Token, request: Request, given: Refinement) -> Refined:
        """Add clicks or a box; the answer is the new mask."""

        def step(opened: OpenImage) -> None:
            _check_room(opened, len(given.points))
            points, labels = [(x, y) for x, y, _ in given.points], [label for *_, label in given.points]
            opened.refine(points, labels, box=given.box)

        return await change(token, request, step)

    @router.post("/undo", responses=_CHANGED)
    async def undo(token: Token, request: Request) -> Refined:
        """Take the last step back; the first mask stays."""
        return await change(token, request, lambda opened: opened.undo() if opened.steps > 1 else None)

    @router.post("/reset", responses=_CHANGED)
    async def reset(token: Token, request: Request) -> Refined:
        """Go back to the mask that is found without clicks."""
        return await change(token, request, lambda opened: opened.segment())

    @router.put(
        "/mask",
        responses={**_CHANGED, **refusals(415)},
        openapi_extra={"requestBody": {"required": True, "content": PNG}},
    )
    async def draw(token: Token, request: Request) -> Refined:
        """Take a mask that a person drew, exactly as it is: 0 and 255, at the original size."""
        service.kept.get(token)
        with service.work.place():
            data = await read_file(request, service.settings.limits)

        def step(opened: OpenImage) -> None:
            _check_room(opened, 0)
            opened.draw(drawn_mask(data))

        return await change(token, request, step)

    @router.delete("", status_code=204, responses=refusals(404))
    async def drop(token: Token) -> None:
        """Forget the image now."""
        service.kept.drop(token)

    return router


def refined(image: KeptImage) -> Refined:
    """The mask as it stands, and what is measured on it."""
    return Refined(segmentation=mask_now(image.opened), measures=image.measures)


def _check_room(opened: OpenImage, clicks: int) -> None:
    if opened.steps >= MOST_STEPS or len(opened.given[0]) + clicks > MOST_CLICKS:
        raise ServiceError(
            409,
            "too-many-steps",
            f"an image takes at most {MOST_CLICKS} clicks and {MOST_STEPS} steps; reset it, or take some back",
        )
