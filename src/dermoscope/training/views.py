"""Views of an image: what a photographer, a dermatoscope or a file format might have done differently. Torch-free.

A view has a name and a seed, so that a feature computed today is the feature computed tomorrow. Views are made after
the split, never before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
ORIGINAL = "original"
CLOSE_UP = "close-up"


def make_view(rgb: Image, image_id: str, view: str, seed: int = 0) -> Image:
    """The named view of an image.

    Args:
        rgb: `[H, W, 3]` uint8.
        image_id: Part of the seed, so that every image gets its own draw.
        view: `original` leaves the image alone; any other name draws one random combination of changes, and one that
            starts with `close-up` cuts a small part out first.
        seed: Changes every draw.
    """
    if view == ORIGINAL:
        return rgb
    random = np.random.default_rng([seed, zlib.crc32(view.encode()), zlib.crc32(image_id.encode())])
    if view.startswith(CLOSE_UP):
        rgb = crop(rgb, random, 0.06, 0.4)
    for change, probability in _CHANGES:
        if random.random() < probability:
            rgb = change(rgb, random)
    return np.ascontiguousarray(rgb)


def turn_or_flip(rgb: Image, random: np.random.Generator) -> Image:
    """One of the eight symmetries of the square."""
    turned = np.rot90(rgb, int(random.integers(4)))
    return turned[:, ::-1] if random.random() < 0.5 else turned


def crop(rgb: Image, random: np.random.Generator, least: float = 0.55, most: float = 1.0) -> Image:
    """A crop of a share of the area between `least` and `most`, its aspect ratio between 3:4 and 4:3 of the image's."""
    height, width = rgb.shape[:2]
    area = random.uniform(least, most) * height * width
    aspect = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3))) * width / height
    w, h = int(min(width, np.sqrt(area * aspect))), int(min(height, np.sqrt(area / aspect)))
    left, top = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
    return rgb[top : top + h, left : left + w]


def light_and_colour(rgb: Image, random: np.random.Generator) -> Image:
    """Another exposure, gamma and white balance."""
    gain = random.uniform(0.75, 1.2) * np.exp(random.normal(0, 0.05, 3))
    values = np.clip(rgb / 255.0 * gain, 0, 1) ** np.exp(random.normal(0, 0.15))
    return np.asarray(np.rint(values * 255), np.uint8)


def blur(rgb: Image, random: np.random.Generator) -> Image:
    """Out of focus by up to half a percent of the long side."""
    sigma = random.uniform(0.1, 0.5) / 100 * max(rgb.shape[:2])
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(sigma, 0.3)), np.uint8)


def jpeg(rgb: Image, random: np.random.Generator) -> Image:
    """Saved once more as JPEG with a quality between 30 and 90."""
    _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 90))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def dark_frame(rgb: Image, random: np.random.Generator) -> Image:
    """The dark surround of a dermatoscope."""
    height, width = rgb.shape[:2]
    radius = random.uniform(0.47, 0.62) * max(height, width)
    centre = (width * random.uniform(0.46, 0.54), height * random.uniform(0.46, 0.54))
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - centre[0], y - centre[1]) - radius
    inside = np.clip(0.5 - distance / random.uniform(2, 10), 0, 1)[..., None]
    return np.asarray(rgb * inside + random.uniform(0, 15) * (1 - inside), np.uint8)


def hair(rgb: Image, random: np.random.Generator) -> Image:
    """Dark hairs across the image."""
    height, width = rgb.shape[:2]
    scale = max(height, width) / 256
    canvas = np.ascontiguousarray(rgb)
    for _ in range(int(random.integers(3, 25))):
        start = random.uniform(0, 1, 2) * (width, height)
        angle, bend = random.uniform(0, 2 * np.pi), random.normal(0, 0.4)
        steps = np.linspace(0, random.uniform(0.3, 1.0) * max(height, width), 24)
        angles = angle + bend * steps / steps[-1]
        path = start + np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), 0) * steps[1]
        shade = random.uniform(10, 80) * np.array([1.0, 0.85, 0.75])
        thickness = max(1, round(random.uniform(0.5, 1.6) * scale))
        cv2.polylines(canvas, [path.astype(np.int32)], False, shade.tolist(), thickness, cv2.LINE_AA)
    return canvas


def ruler_or_ink(rgb: Image, random: np.random.Generator) -> Image:
    """Ruler marks along one border, or strokes of a surgical pen."""
    height, width = rgb.shape[:2]
    canvas = np.ascontiguousarray(rgb)
    if random.random() < 0.5:
        gap, y = width / random.integers(8, 24), int(height * random.uniform(0.85, 0.98))
        for index, x in enumerate(np.arange(0, width, gap)):
            length = int(height * (0.08 if index % 5 == 0 else 0.04))
            cv2.line(canvas, (int(x), y), (int(x), y - length), (20, 20, 25), max(1, width // 200), cv2.LINE_AA)
        return canvas
    ink = random.uniform(0, 1, 3) * (110, 60, 160)
    for _ in range(int(random.integers(1, 4))):
        ends = (random.uniform(0, 1, (3, 2)) * (width, height)).astype(np.int32)
        cv2.polylines(canvas, [ends], False, ink.tolist(), max(2, width // 40), cv2.LINE_AA)
    return canvas


_CHANGES: tuple[tuple[Callable[[Image, np.random.Generator], Image], float], ...] = (
    (turn_or_flip, 1.0),
    (crop, 0.6),
    (hair, 0.15),
    (ruler_or_ink, 0.08),
    (dark_frame, 0.15),
    (light_and_colour, 0.6),
    (blur, 0.2),
    (jpeg, 0.3),
)
