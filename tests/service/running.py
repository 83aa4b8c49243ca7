"""The service with a small analyzer, asked without a socket."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Gate, LesionMask, Malignancy
from dermoscope.analyzer import Outcome
from dermoscope.cases import CaseStore
from dermoscope.images import decode
from dermoscope.open_image import OpenImage
from dermoscope.service.app import create_app
from dermoscope.service.pictures import measures_of
from dermoscope.service.settings import Limits, Settings
from dermoscope.service.state import Service
from tests.disc_model import opened, skin_with_lesion

T = TypeVar("T")

ADDRESS = "http://127.0.0.1:8008"


@dataclass(frozen=True)
class SmallBundle:
    """A bundle without a model."""

    fingerprint: str = "0123456789abcdef"


@dataclass
class SmallAnalyzer:
    """Decodes as the real one does; what it says is made up.

    Attributes:
        go: Cleared, every analysis waits for it.
        seconds: For one image.
        error: What to raise.
        blind: Whether it finds no lesion.
        calls: How often it was asked.
    """

    bundle: SmallBundle = field(default_factory=SmallBundle)
    go: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.0
    error: Exception | None = None
    blind: bool = False
    calls: int = 0

    def __post_init__(self) -> None:
        self.go.set()

    def describe(self) -> dict[str, Any]:
        return {
            "name": "small",
            "version": "1",
            "fingerprint": self.bundle.fingerprint,
            "malignant_share": 0.202,
        }

    def analyze(
        self,
        source: bytes | NDArray[np.uint8],
        *,
        image_id: str,
        frame: int = 1,
        picture: bool = False,
        evidence: bool = False,  # noqa: ARG002 - as the real one
        keep_open: bool = False,
        spacing_mm: tuple[float, float] | None = None,
    ) -> Outcome:
        self.calls += 1
        assert self.go.wait(10)
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        assert isinstance(source, bytes)
        image = decode(source, frame=frame)
        behind, _ = opened(rgb=image.rgb)
        behind.spacing_mm = spacing_mm or image.spacing_mm
        found = behind.segment()
        if self.blind:
            found = behind.start_from_kept(np.zeros_like(image.rgb[..., 0], np.bool_), "", None, by_person=False)
        mask = None
        if found.box and found.confidence:
            mask = LesionMask(
                prompt=found.prompt,
                confidence=found.confidence,
                area_fraction=found.area_fraction,
                box=found.box,
                outline=found.outline,
                candidates=(),
            )
        analysis = Analysis(
            image_id=image_id,
            width=image.width,
            height=image.height,
            spacing_mm=behind.spacing_mm,
            gate=Gate(is_skin=True, p_skin=0.9, threshold=0.5),
            mask=mask,
            measures=measures_of(behind),
            diagnosis={code: 1 / len(taxonomy.HAM10000_CODES) for code in taxonomy.HAM10000_CODES},
            group={group: 1 / len(taxonomy.GROUPS) for group in taxonomy.GROUPS},
            malignancy=Malignancy(
                probability=0.2, definition="graz", threshold=0.3, operating_point="none", flagged=False
            ),
            p_melanoma=0.1,
            bundle=self.bundle.fingerprint,
        )
        drawing = image.rgb if picture else None
        return Outcome(analysis, found.mask, drawing, behind if keep_open else None)

    def evidence(self, opened: OpenImage) -> NDArray[np.float32]:
        assert opened
        return np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


class Asked:
    """A service, and a client that reaches it without a socket; both live in one event loop."""

    def __init__(self, service: Service, analyzer: SmallAnalyzer, runner: asyncio.Runner) -> None:
        self.service, self.analyzer, self.app = service, analyzer, create_app(service)
        self._runner = runner
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=ADDRESS, timeout=20)

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(scenario)

    def __call__(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self.run(self.client.request(method, path, **rest))

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self("POST", path, **rest)

    def kept(self, data: bytes | None = None) -> str:
        """Token of an image that was analysed and kept."""
        answer = self.post("/v1/analyses?keep=true", files=[("image", data or png())])
        assert answer.status_code == 200, answer.text
        token = answer.json()["results"][0]["image"]
        assert isinstance(token, str)
        return token


@contextmanager
def asking(*, limits: Limits | None = None, token: str = "", cases: CaseStore | None = None) -> Iterator[Asked]:
    """A service for one test."""
    analyzer = SmallAnalyzer()
    service = Service(analyzer, Settings(token=token, limits=limits or Limits()), cases)
    with asyncio.Runner() as runner:
        asked = Asked(service, analyzer, runner)
        yield asked
        analyzer.go.set()
        runner.run(asked.client.aclose())
        service.close()


def png(rgb: NDArray[np.uint8] | None = None) -> bytes:
    """An image with a lesion in the middle, or another one."""
    stream = io.BytesIO()
    Image.fromarray(skin_with_lesion() if rgb is None else rgb).save(stream, format="PNG")
    return stream.getvalue()


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A mask as 0 and 255."""
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(stream, format="PNG")
    return stream.getvalue()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal; its form is checked."""
    body = answer.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message"}, body
    assert body["error"]["message"]
    return answer.status_code, body["error"]["code"]
