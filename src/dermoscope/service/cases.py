"""Routes of the history: images that a person keeps, and what the person says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from dermoscope.cases import UNCHANGED, Case, CaseNotFoundError, CaseStore, StoreError
from dermoscope.images import decode
from dermoscope.service.errors import ServiceError, refusals
from dermoscope.service.images import JPEG, PNG, Token
from dermoscope.service.kept_images import KeptImage
from dermoscope.service.observing import LOG
from dermoscope.service.pictures import drawn_mask, mask_of, measures_of
from dermoscope.service.schemas import CaseChange, CaseList, ImageToken, NewCase, SimilarCases, SimilarKept
from dermoscope.service.state import Service
from dermoscope.service.streaming import streamed

T = TypeVar("T")
CaseId = Annotated[str, Path(max_length=64)]
_ONE = refusals(404, 429, 500, 504)
_MADE = refusals(404, 409, 429, 500, 504)


def cases(service: Service) -> APIRouter:
    """Routes for a service."""

    def history_is_on() -> CaseStore:
        return service.history

    router = APIRouter(prefix="/v1", tags=["cases"], dependencies=[Depends(history_is_on)])

    async def on_store(request: Request, work: Callable[[CaseStore], T]) -> T:
        with service.records.place():
            return await service.records.run(request, lambda: _asked(service.history, work))

    @router.post("/cases", status_code=201, responses=_MADE)
    async def keep(request: Request, new: NewCase) -> Case:
        """Keep an image with its mask as it stands."""
        image = service.kept.get(new.image)
        with service.records.place():
            return await service.records.run(
                request, lambda: _asked(service.history, lambda store: _add(store, image, new)), turn=image.turn
            )

    @router.get("/cases", responses=refusals(404, 429, 500, 504))
    async def listed(
        request: Request,
        search: Annotated[str, Query(max_length=200, description="Text in label, note or diagnosis.")] = "",
        label: Annotated[str | None, Query(max_length=64, description="Diagnosis code.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        before: Annotated[str | None, Query(max_length=64, description="Id of a case: only older ones.")] = None,
    ) -> CaseList:
        """Cases, the newest first."""
        page = await on_store(request, lambda store: store.list(search=search, label=label, limit=limit, before=before))
        return CaseList(cases=list(page.cases), next=page.next, total=page.total)

    @router.get(
        "/cases/export.zip",
        response_class=StreamingResponse,
        responses={
            200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
            **refusals(500),
        },
    )
    async def export(
        corrected: Annotated[bool, Query(description="Only what a person corrected.")] = False,
    ) -> StreamingResponse:
        """The cases as a data set with `manifest.csv`, for `dermoscope train`."""
        store = service.history
        return StreamingResponse(
            streamed(lambda stream: store.export(stream, corrected=corrected)),
            media_type="application/zip",
            headers={"Content-Disposition": "attachment; filename=dermoscope-cases.zip"},
        )

    @router.get("/cases/{case_id}", responses=_ONE)
    async def case(case_id: CaseId, request: Request) -> Case:
        """One case."""
        return await on_store(request, lambda store: store.get(case_id))

    @router.get("/cases/{case_id}/image.png", response_class=Response, responses={200: {"content": PNG}, **_ONE})
    async def image(case_id: CaseId, request: Request) -> Response:
        """Its pixels."""
        return Response(await on_store(request, lambda store: store.image(case_id)), media_type="image/png")

    @router.get("/cases/{case_id}/thumbnail.jpg", response_class=Response, responses={200: {"content": JPEG}, **_ONE})
    async def thumbnail(case_id: CaseId, request: Request) -> Response:
        """Its pixels, at most 256 on the long side."""
        return Response(await on_store(request, lambda store: store.thumbnail(case_id)), media_type="image/jpeg")

    @router.get("/cases/{case_id}/mask.png", response_class=Response, responses={200: {"content": PNG}, **_ONE})
    async def mask(case_id: CaseId, request: Request) -> Response:
        """Its mask: 0 and 255, at the size of the image."""
        data = await on_store(request, lambda store: store.mask(case_id))
        if data is None:
            raise ServiceError(404, "no-mask", "the case has no mask")
        return Response(data, media_type="image/png")

    @router.patch("/cases/{case_id}", responses=_MADE)
    async def change(case_id: CaseId, request: Request, wanted: CaseChange) -> Case:
        """Change label, note or mask; what is not given stays as it is."""
        drawn = service.kept.get(wanted.image) if wanted.image is not None else None
        if drawn and drawn.case != case_id:
            raise ServiceError(409, "other-image", "that image is not the one of this case; open the case first")

        def work(store: CaseStore) -> Case:
            return store.correct(
                case_id,
                label=wanted.label if "label" in wanted.model_fields_set else UNCHANGED,
                note=UNCHANGED if wanted.note is None else wanted.note,
                mask=mask_of(drawn.opened) if drawn else UNCHANGED,
            )

        return await on_store(request, work)

    @router.delete("/cases/{case_id}", status_code=204, responses=_ONE)
    async def delete(case_id: CaseId, request: Request) -> None:
        """Remove a case for good, and every image that was opened from it."""
        await on_store(request, lambda store: store.delete(case_id))
        service.kept.drop_case(case_id)

    @router.post("/cases/{case_id}/open", responses=_ONE)
    async def open_case(case_id: CaseId, request: Request) -> ImageToken:
        """Open a case for correction: its image is kept behind the encoder, with its mask."""
        found = await on_store(request, lambda store: (store.get(case_id), store.image(case_id), store.mask(case_id)))
        with service.work.place():
            kept = await service.work.run(request, lambda: _opened(service, *found))
        return ImageToken(image=service.kept.add(kept))

    @router.get("/images/{token}/similar", responses=_ONE)
    async def similar(token: Token, request: Request, limit: Annotated[int, Query(ge=1, le=50)] = 6) -> SimilarCases:
        """The kept cases that look most like an image."""
        kept = service.kept.get(token)
        feature, model = np.asarray(kept.opened.encoded.feature[0], np.float32), service.analyzer.bundle.fingerprint
        found = await on_store(
            request, lambda store: store.similar(feature, model=model, limit=limit, exclude=kept.case)
        )
        return SimilarCases(cases=[SimilarKept(**one.case.to_dict(), distance=one.distance) for one in found])

    return router


def _asked(store: CaseStore, work: Callable[[CaseStore], T]) -> T:
    """What a store says, with its errors as those of the interface."""
    try:
        return work(store)
    except CaseNotFoundError as error:
        raise ServiceError(404, "no-such-case", str(error)) from None
    except ValueError as error:
        raise ServiceError(422, "bad-case", str(error)) from None
    except StoreError as error:
        LOG.error("the history failed: %s", error)
        raise ServiceError(
            503, "history-failed", "the history cannot be used; the log of the service says why"
        ) from None


def _add(store: CaseStore, image: KeptImage, new: NewCase) -> Case:
    if image.case is not None:
        raise ServiceError(409, "already-kept", f"the image is kept as case {image.case}; change that one")
    opened = image.opened
    has_mask = opened.is_corrected or (opened.result is not None and opened.result.mask is not None)
    case = store.add(
        decode(image.source, frame=image.frame).rgb,
        image.analysis,
        np.asarray(opened.encoded.feature[0], np.float32),
        mask_of(opened) if has_mask else None,
        label=new.label,
        note=new.note,
        mask_corrected=opened.is_corrected,
    )
    image.case = case.id
    return case


def _opened(service: Service, case: Case, image: bytes, mask: bytes | None) -> KeptImage:
    analysis = case.analysis
    opened = service.analyzer.analyze(image, image_id=case.id, keep_open=True, spacing_mm=analysis.spacing_mm).opened
    assert opened is not None
    if mask is not None:
        found = None if case.mask_corrected else analysis.mask
        prompt, confidence = (found.prompt, found.confidence) if found else ("corrected", None)
        opened.start_from_kept(drawn_mask(mask), prompt, confidence, by_person=case.mask_corrected)
    return KeptImage(image, opened, analysis, measures_of(opened), case=case.id)
