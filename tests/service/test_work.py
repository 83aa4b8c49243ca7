from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.requests import Request

from dermoscope.service.errors import ClientGoneError, ServiceError
from dermoscope.service.settings import Limits
from dermoscope.service.work import Work
from tests.service.running import Asked, asking, code_of, png


def request(gone: Callable[[], Awaitable[object]] | None = None) -> Request:
    """A request whose body was read; the client stays unless told otherwise."""

    async def receive() -> dict[str, object]:
        await (gone() if gone else asyncio.Event().wait())
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def posted(service: Asked) -> httpx.Response:
    return await service.client.post("/v1/analyses", files=[("image", png())])


def test_health_and_metrics_answer_while_everything_is_taken_and_the_rest_is_told_to_come_back() -> None:
    with asking(limits=Limits(workers=1, queue=2)) as service:
        service.analyzer.go.clear()

        async def scenario() -> None:
            first = [asyncio.create_task(posted(service)) for _ in range(3)]
            await until(lambda: service.service.work.admitted == 3 and service.service.work.running == 1)
            refused = await posted(service)
            assert code_of(refused) == (429, "busy")
            assert int(refused.headers["retry-after"]) >= 1
            start = time.perf_counter()
            assert (await service.client.get("/v1/health")).status_code == 200
            text = (await service.client.get("/v1/metrics")).text
            assert time.perf_counter() - start < 0.5
            for line in ("dermoscope_running 1", "dermoscope_waiting 2", "dermoscope_refused_total 1"):
                assert f"\n{line}\n" in text
            service.analyzer.go.set()
            assert [answer.status_code for answer in await asyncio.gather(*first)] == [200] * 3
            assert (await posted(service)).status_code == 200

        service.run(scenario())
        assert service.service.is_idle


def test_what_takes_too_long_is_a_504_and_does_not_block_the_worker_for_good() -> None:
    with asking(limits=Limits(workers=1, work_seconds=0.3)) as service:
        service.analyzer.go.clear()
        assert code_of(service.run(posted(service))) == (504, "timeout")
        assert service.service.work.running == 1
        service.analyzer.go.set()
        service.run(until(lambda: service.service.work.running == 0))
        assert service.run(posted(service)).status_code == 200


def test_who_waits_and_leaves_is_dropped_without_being_computed() -> None:
    with asking(limits=Limits(workers=1)) as service:
        service.analyzer.go.clear()
        left = asyncio.Event()
        work = service.service.work

        async def scenario() -> None:
            first = asyncio.create_task(posted(service))
            await until(lambda: work.running == 1)
            waiting = asyncio.create_task(work.run(request(left.wait), lambda: pytest.fail("was computed")))
            await asyncio.sleep(0.05)
            left.set()
            with pytest.raises(ClientGoneError):
                await waiting
            service.analyzer.go.set()
            await first

        service.run(scenario())
        assert service.service.is_idle


def test_what_runs_when_its_client_leaves_ends_and_is_discarded() -> None:
    work, go, ended, left = Work(1, 1, 5.0), threading.Event(), threading.Event(), asyncio.Event()

    def compute() -> None:
        go.wait(5)
        ended.set()

    async def scenario() -> None:
        running = asyncio.create_task(work.run(request(left.wait), compute))
        await until(lambda: work.running == 1)
        left.set()
        with pytest.raises(ClientGoneError):
            await running
        assert work.running == 1
        go.set()
        await until(lambda: work.running == 0)

    asyncio.run(scenario())
    work.close()
    assert ended.is_set()


def test_work_on_one_image_takes_turns_even_if_nobody_waits_for_it() -> None:
    work, turn = Work(2, 4, 0.2), asyncio.Lock()
    go, order = threading.Event(), []

    def slow() -> None:
        go.wait(5)
        order.append("first")

    async def scenario() -> None:
        with pytest.raises(ServiceError, match="no answer within"):
            await work.run(request(), slow, turn=turn)
        second = asyncio.create_task(work.run(request(), lambda: order.append("second"), turn=turn))
        await asyncio.sleep(0.05)
        go.set()
        await second

    asyncio.run(scenario())
    work.close()
    assert order == ["first", "second"]


def test_an_error_of_the_work_is_handed_on_and_frees_its_worker() -> None:
    work = Work(1, 0, 5.0)

    def broken() -> None:
        raise KeyError("x")

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(KeyError):
                await work.run(request(), broken)
        assert await work.run(request(), lambda: 5) == 5

    asyncio.run(scenario())
    work.close()
    assert work.is_idle
