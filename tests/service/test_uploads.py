from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dermoscope.service.settings import Limits
from tests.service.running import Asked, asking, code_of, png

LIMITS = Limits(file_bytes=20_000, body_bytes=50_000, files=3)
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def form(*parts: str, end: str = "--x--\r\n") -> bytes:
    return "".join(f"--x\r\nContent-Disposition: {part}\r\n" for part in parts).encode() + end.encode()


def part(name: str = "image", content: str = "abc") -> str:
    return f'form-data; name="{name}"; filename="f"\r\n\r\n{content}'


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({}, b"abc", (415, "not-a-form")),
        ({"Content-Type": "application/json"}, b"{}", (415, "not-a-form")),
        ({"Content-Type": "multipart/form-data"}, b"abc", (415, "not-a-form")),
        (FORM, b"", (400, "malformed-form")),
        (FORM, b"abc", (400, "malformed-form")),
        (FORM, form(part()), (415, "not-an-image")),
        (FORM, form(part(), end=""), (400, "malformed-form")),
        (FORM, form(part(), end="--x"), (400, "malformed-form")),
        (FORM, form(end="--x--\r\n"), (422, "no-image")),
        (FORM, form(part("other")), (422, "unknown-field")),
        (FORM, form("form-data\r\n\r\nabc"), (422, "unknown-field")),
        (FORM, form(part("mm_per_pixel", "0.02")), (422, "no-image")),
        (FORM, form(part(), part("mm_per_pixel", "")), (422, "bad-scale")),
        (FORM, form(part(), part("mm_per_pixel", "small")), (422, "bad-scale")),
        (FORM, form(part(), part("mm_per_pixel", "nan")), (422, "bad-scale")),
        (FORM, form(part(), part("mm_per_pixel", "0")), (422, "bad-scale")),
        (FORM, form(part(), part("mm_per_pixel", "20")), (422, "bad-scale")),
        (FORM, form(part(), part("mm_per_pixel", "0.02" + "0" * 30)), (422, "bad-scale")),
        (FORM, form(part(), *[part("mm_per_pixel", "0.02")] * 2), (422, "bad-scale")),
        (FORM, form(*[part()] * 4), (422, "too-many-files")),
        (FORM, form(part(content="a" * 20_001)), (413, "file-too-large")),
        (FORM, form(*[part(content="a" * 18_000)] * 3), (413, "body-too-large")),
        ({"Content-Type": f"multipart/form-data; boundary={'y' * 300}"}, b"abc", (400, "malformed-form")),
        (FORM, form(f"form-data; name=image\r\nX-Long: {'a' * 9000}\r\n\r\nabc"), (400, "malformed-form")),
    ],
)
def test_what_is_refused(headers: dict[str, str], body: bytes, refusal: tuple[int, str]) -> None:
    with asking(limits=LIMITS) as service:
        assert code_of(service.post("/v1/analyses", content=body, headers=headers)) == refusal
        assert_alive(service)


def test_a_body_without_a_length_is_counted_while_it_comes() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield form(part(), end="")
        while True:
            sent += 1000
            yield b"a" * 1000

    with asking(limits=LIMITS) as service:
        answer = service.post("/v1/analyses", content=endless(), headers=FORM)
        assert code_of(answer) == (413, "file-too-large")
        assert_alive(service)
    assert sent < 100_000


def test_the_file_that_just_fits_is_taken() -> None:
    data = png()
    with asking(limits=Limits(file_bytes=len(data))) as service:
        assert service.post("/v1/analyses", files=[("image", data)]).status_code == 200
    with asking(limits=Limits(file_bytes=len(data) - 1)) as service:
        assert code_of(service.post("/v1/analyses", files=[("image", data)])) == (413, "file-too-large")


def assert_alive(service: Asked) -> None:
    assert service.get("/v1/health").status_code == 200
    assert service.service.is_idle
