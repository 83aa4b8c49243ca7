"""Analysed images that stay behind the encoder for a while, each under a token that nobody can guess."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from dermoscope.analysis import Analysis, Measures
from dermoscope.open_image import OpenImage
from dermoscope.service.errors import ServiceError
from dermoscope.service.settings import Limits


@dataclass(eq=False)
class KeptImage:
    """One image and what is known of it.

    Attributes:
        source: The uploaded file, or the PNG of a kept case.
        frame: Which frame of a DICOM file, from 1.
        opened: Behind the encoder, with its mask as it stands.
        analysis: What was said of it.
        measures: Of its mask as it stands, or none without a mask.
        case: The kept case that it was opened from.
        turn: Held by who works on it; an open image is for one thread at a time.
    """

    source: bytes
    opened: OpenImage
    analysis: Analysis
    measures: Measures | None = None
    frame: int = 1
    case: str | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    used: float = 0.0

    @property
    def size_bytes(self) -> int:
        """What it keeps in memory, within a few kilobytes."""
        opened = self.opened
        steps = opened.steps * opened.width * opened.height
        pixels = opened.rgb.nbytes + (0 if opened.smoothed is opened.rgb else opened.smoothed.nbytes)
        return len(self.source) + pixels + opened.encoded.embedding.nbytes + steps


class KeptImages:
    """The images; those least recently used are dropped first.

    Args:
        limits: How many, how large, how long.
        clock: Seconds that only grow.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._images: OrderedDict[str, KeptImage] = OrderedDict()

    def __len__(self) -> int:
        self._drop_idle()
        return len(self._images)

    def add(self, image: KeptImage) -> str:
        """Keep an image.

        Returns:
            Its token.
        """
        token = secrets.token_urlsafe(16)
        image.used = self._clock()
        self._images[token] = image
        self.trim()
        return token

    def trim(self) -> None:
        """Drop what is too much, but never the image that was used last; images grow as they are worked on."""
        self._drop_idle()
        while len(self._images) > 1 and (
            len(self._images) > self._limits.kept_images or self._bytes() > self._limits.kept_bytes
        ):
            self._images.popitem(last=False)

    def get(self, token: str) -> KeptImage:
        """An image, which counts as used from now.

        Raises:
            ServiceError: 404 if there is none, or no longer.
        """
        self._drop_idle()
        image = self._images.get(token)
        if image is None:
            raise _expired()
        image.used = self._clock()
        self._images.move_to_end(token)
        return image

    def drop(self, token: str) -> None:
        """Forget an image.

        Raises:
            ServiceError: 404 if there is none, or no longer.
        """
        if self._images.pop(token, None) is None:
            raise _expired()

    def drop_case(self, case: str) -> None:
        """Forget every image that was opened from a case."""
        for token in [token for token, image in self._images.items() if image.case == case]:
            del self._images[token]

    def _bytes(self) -> int:
        return sum(image.size_bytes for image in self._images.values())

    def _drop_idle(self) -> None:
        last = self._clock() - self._limits.kept_seconds
        while self._images and next(iter(self._images.values())).used < last:
            self._images.popitem(last=False)


def _expired() -> ServiceError:
    return ServiceError(404, "image-expired", "the image is no longer kept; analyse it again with keep=true")
