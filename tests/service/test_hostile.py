"""What an attacker would upload: each is refused with its status or does no harm, and nothing is written anywhere."""

from __future__ import annotations

import asyncio
import io
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from dermoscope.analysis import Analysis
from dermoscope.service.settings import Limits
from tests.service.running import Asked, asking, code_of, png


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """A service whose working folder, home and temporary folder are watched."""
    for variable in ("TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    with asking() as asked:
        yield asked
        assert asked.get("/v1/health").status_code == 200
        assert asked.service.is_idle
    assert not list(tmp_path.rglob("*"))


def bomb(width: int, height: int) -> bytes:
    """A PNG that unpacks to `width` × `height` pixels of nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + width * 3)
    pixels = b"".join([*(packer.compress(row) for _ in range(min(height, 200))), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 120, np.uint8)).save(stream, format="JPEG")
    return stream.getvalue()


def upload(service: Asked, data: bytes, name: str = "f") -> httpx.Response:
    return service.post("/v1/analyses", files=[("image", (name, data, "image/jpeg"))])


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (65_000, 2), (10_000, 10_000)])
def test_a_decompression_bomb_is_refused_by_its_header(service: Asked, width: int, height: int) -> None:
    data = bomb(width, height)
    start = time.perf_counter()
    assert code_of(upload(service, data)) == (422, "unreadable-image")
    assert time.perf_counter() - start < 10


def test_a_mask_can_be_a_bomb_too(service: Asked) -> None:
    path = f"/v1/images/{service.kept()}/mask"
    assert code_of(service("PUT", path, content=bomb(60_000, 60_000))) == (415, "not-an-image")


def test_a_page_behind_a_jpeg_is_pixels_and_nothing_else(service: Asked) -> None:
    data = jpeg() + b"<html><script>alert(1)</script></html>"
    token = service.kept(data)
    shown = service.get(f"/v1/images/{token}/display.jpg")
    assert (shown.headers["content-type"], shown.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    assert b"script" not in shown.content


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)",
        b"<html><img src=x onerror=alert(1)></html>",
        b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
        b"<svg xmlns='http://www.w3.org/2000/svg'><text>&x;</text></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run",
        b"%PDF-1.7\n" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04\x95" + b"cos\nsystem\n(S'id'\ntR.",
        b"push graphic-context\nimage over 0,0 0,0 'https://evil.example/x.jpg'\n",
        bytes(1000),
    ],
)
def test_other_kinds_of_file_never_reach_a_parser(service: Asked, data: bytes) -> None:
    answer = upload(service, data)
    assert code_of(answer) == (415, "not-an-image")
    assert b"root:" not in answer.content


@pytest.mark.parametrize("cut", [4, 30, 100, -20])
def test_files_that_end_too_early(service: Asked, cut: int) -> None:
    assert upload(service, jpeg()[:cut]).status_code in (415, 422)


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "..\\..\\x",
        "/etc/passwd",
        "C:\\Windows\\x.png",
        "a\0b.png",
        "NUL",
        "CON.png",
        "x" * 3000,
        "<script>alert(1)</script>.png",
        "=HYPERLINK(1)",
        "%2e%2e%2fx",
        "‮gnp.exe",
        "",
    ],
)
def test_names_of_files_lead_nowhere(service: Asked, name: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="' + name.encode() + b'"\r\n\r\n'
    body += png() + b"\r\n--x--\r\n"
    answer = service.post("/v1/analyses", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 200
    analysis = Analysis.model_validate(answer.json()["results"][0]["analysis"])
    assert (analysis.image_id, analysis.path) == ("image-0", "")
    if len(name) > 5:
        assert name not in answer.text


def test_ten_thousand_small_files_are_refused_at_once(service: Asked) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\na\r\n'
    start = time.perf_counter()
    answer = service.post(
        "/v1/analyses",
        content=part * 10_000 + b"--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert code_of(answer) == (422, "too-many-files")
    assert service.analyzer.calls == 0
    assert time.perf_counter() - start < 10


def test_a_large_upload_stays_in_memory(service: Asked) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    assert upload(service, png(noise)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\n" + b"A: b\r\n" * 10_000,
        b"--x\r\n" + b"A" * 1_000_000,
        b"--x" * 100_000,
        b"--x\r\nContent-Disposition: form-data; name=\"image\"; filename*=UTF-8''%00%ff\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="' + b"image" * 700 + b'"\r\n\r\na\r\n--x--\r\n',
        b"\r\n" * 100_000,
    ],
)
def test_forms_made_to_stall_a_parser(service: Asked, body: bytes) -> None:
    start = time.perf_counter()
    answer = service.post("/v1/analyses", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (400, 415, 422)
    code_of(answer)
    assert time.perf_counter() - start < 10


def test_json_made_to_stall_a_parser(service: Asked) -> None:
    path = f"/v1/images/{service.kept()}/refine"
    for body in (b"[" * 100_000, b'{"points":' * 10_000, b'{"points": [[' + b"9" * 100_000 + b", 1, 1]]}"):
        answer = service.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 413, 422), body[:20]
        code_of(answer)


def test_many_large_requests_hold_no_more_than_their_places() -> None:
    with asking(limits=Limits(workers=1, queue=1)) as service:
        service.analyzer.go.clear()

        async def scenario() -> list[int]:
            tasks = [
                asyncio.create_task(service.client.post("/v1/analyses", files=[("image", png())])) for _ in range(30)
            ]
            await asyncio.sleep(0.3)
            service.analyzer.go.set()
            return [answer.status_code for answer in await asyncio.gather(*tasks)]

        statuses = service.run(scenario())
    assert statuses.count(200) == 2
    assert statuses.count(429) == 28
