"""What lies between lens and lesion: hair, ruler, marker, and the dark frame of the dermatoscope. Torch-free."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.training.recipes.augmentation import FramePart, HairPart, InkPart

_Image = NDArray[np.uint8]
_Mask = NDArray[np.bool_]
_Points = NDArray[np.float64]

_DARK_HAIR = ((20, 14, 12), (75, 52, 40))
_LIGHT_HAIR = ((170, 140, 110), (225, 210, 190))
_MARKER = ((70, 40, 110), (110, 70, 160))
_FRACTION_BITS = 4
_DRAWS = 5


def hair(rgb: _Image, part: HairPart, random: np.random.Generator) -> _Image:
    """Hairs of one colour that lie roughly in one direction, each with its own length, bend and thickness.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How many, how thick, how often light.
        random: Draws them.
    """
    shape = np.array(rgb.shape[:2])
    side = shape.min()
    darkest, brightest = _LIGHT_HAIR if random.random() < part.light else _DARK_HAIR
    direction, spread = random.uniform(0, np.pi), random.uniform(0.1, 0.7)
    coverage = _canvas(rgb)
    for _ in range(int(random.integers(1, part.most, endpoint=True))):
        middle = random.uniform(-0.1, 1.1, 2) * shape[::-1]
        path = _bent(middle, direction + spread * random.standard_normal(), side * random.uniform(0.3, 1.5), random)
        thickness = side * random.uniform(*part.width) / 1000
        _tapering(coverage, path, thickness, int(random.integers(150, 256)))
    return _painted(rgb, coverage, _between(darkest, brightest, random))


def ink(rgb: _Image, part: InkPart, random: np.random.Generator) -> _Image:
    """The ticks of a ruler along a side, or strokes of a violet surgical marker.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How often a ruler.
        random: Draws them.
    """
    return _ruler(rgb, random) if random.random() < part.ruler else _marker(rgb, random)


def frame(rgb: _Image, mask: _Mask, part: FramePart, random: np.random.Generator) -> tuple[_Image, _Mask]:
    """The round view of a dermatoscope with its dark surroundings, where no lesion can be seen.

    A view that hides too much of the lesion is drawn again; after five in vain everything stays as it is.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        mask: `[H, W]`.
        part: How wide the view is, and how much of the lesion must stay.
        random: Draws place and width of the view, the softness of its edge, and how dark the surroundings are.
    """
    height, width = mask.shape
    for _ in range(_DRAWS):
        centre = np.array([width, height]) * random.uniform(0.46, 0.54, 2)
        radius = random.uniform(*part.radius) * np.hypot(height, width) / 2
        view = np.zeros((height, width), dtype=np.uint8)
        cv2.circle(
            view, _fixed(centre), round(radius * 2**_FRACTION_BITS), 255, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS
        )
        seen = mask & (view > 127)
        if np.count_nonzero(seen) < part.least_lesion * np.count_nonzero(mask):
            continue
        soft = cv2.GaussianBlur(view, (0, 0), random.uniform(0.002, 0.012) * min(height, width))
        return _painted(rgb, 255 - np.asarray(soft, np.uint8), _between((0, 0, 0), (30, 24, 24), random)), seen
    return rgb, mask


def _ruler(rgb: _Image, random: np.random.Generator) -> _Image:
    """Ticks at equal distances, every fifth longer, along a slightly tilted line near one side."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    coverage = _canvas(rgb)
    tilt = random.uniform(-0.08, 0.08) + np.pi / 2 * int(random.integers(4))
    along, inwards = np.array([np.cos(tilt), np.sin(tilt)]), np.array([np.sin(tilt), -np.cos(tilt)])
    outwards = np.array([width, height]) * random.uniform(0.36, 0.47)
    start = np.array([width, height]) / 2 - inwards * outwards
    gap, length = side * random.uniform(0.03, 0.09), side * random.uniform(0.02, 0.05)
    thickness = side * random.uniform(0.004, 0.008)
    shade = int(random.integers(140, 240))
    ticks = int(np.hypot(height, width) / gap / 2) + 1
    for tick in range(-ticks, ticks + 1):
        foot = start + tick * gap * along
        _stroke(coverage, np.stack([foot, foot + inwards * length * (1.0 if tick % 5 else 1.8)]), thickness, shade)
    return _painted(rgb, coverage, _between((10, 10, 10), (60, 60, 70), random))


def _marker(rgb: _Image, random: np.random.Generator) -> _Image:
    """One to three broad strokes through which the skin shows, away from the middle."""
    shape = np.array(rgb.shape[:2])
    side = shape.min()
    coverage = _canvas(rgb)
    for _ in range(int(random.integers(1, 4))):
        bearing = random.uniform(0, 2 * np.pi)
        middle = shape[::-1] * (0.5 + random.uniform(0.38, 0.55) * np.array([np.cos(bearing), np.sin(bearing)]))
        path = _bent(middle, random.uniform(0, np.pi), side * random.uniform(0.15, 0.5), random)
        _stroke(coverage, path, side * random.uniform(0.02, 0.05), int(random.integers(110, 190)))
    soft = cv2.GaussianBlur(coverage, (0, 0), 0.008 * side)
    return _painted(rgb, np.asarray(soft, np.uint8), _between(*_MARKER, random))


def _bent(middle: _Points, angle: float, length: float, random: np.random.Generator) -> _Points:
    """A quadratic Bézier curve as points `[24, 2]`, x and y in pixels."""
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    aside = np.array([-along[1], along[0]]) * random.normal(0, 0.35)
    at = np.linspace(0, 1, 24)[:, None]
    points: _Points = middle + (2 * at - 1) * along + 4 * at * (1 - at) * aside
    return points


def _canvas(rgb: _Image) -> _Image:
    """Twice the image's resolution, so that a line can be thinner than two pixels."""
    return np.zeros((2 * rgb.shape[0], 2 * rgb.shape[1]), dtype=np.uint8)


def _tapering(coverage: _Image, path: _Points, thickness: float, shade: int) -> None:
    """A stroke that gets thinner towards one end."""
    for share in (1.0, 0.75, 0.5):
        _stroke(coverage, path[: round(share * len(path))], (1.5 - share) * thickness, shade)


def _stroke(coverage: _Image, path: _Points, thickness: float, shade: int) -> None:
    """A line along points in pixels of the image, drawn on a canvas."""
    points = np.round((2 * path + 0.5) * 2**_FRACTION_BITS).astype(np.int32)
    cv2.polylines(coverage, [points], False, shade, max(1, round(2 * thickness)), cv2.LINE_AA, _FRACTION_BITS)


def _painted(rgb: _Image, coverage: _Image, paint: tuple[float, float, float]) -> _Image:
    """A copy of an image, covered with one colour as far as `coverage` says, 0 to 255, at this or twice its size."""
    if coverage.shape != rgb.shape[:2]:
        coverage = np.asarray(cv2.resize(coverage, rgb.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    rest = cv2.cvtColor(cv2.bitwise_not(coverage), cv2.COLOR_GRAY2RGB)
    laid_on = cv2.merge([cv2.convertScaleAbs(coverage, alpha=intensity / 255) for intensity in paint])
    return np.asarray(cv2.add(cv2.multiply(rgb, rest, scale=1 / 255), laid_on), np.uint8)


def _between(
    low: tuple[int, int, int], high: tuple[int, int, int], random: np.random.Generator
) -> tuple[float, float, float]:
    """A colour on the line between two."""
    at = random.random()
    red, green, blue = (float(a + at * (b - a)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def _fixed(point: _Points) -> tuple[int, int]:
    x, y = np.round(point * 2**_FRACTION_BITS).astype(int)
    return int(x), int(y)
