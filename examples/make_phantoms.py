"""Draws the synthetic example images: seven dermoscopic phantoms and four pictures that are not skin.

Nothing here is a patient. A phantom looks like dermoscopy (skin lines, pores, hair, bubbles, a ruler, a vignette and a
lesion with a pigment network, several colours and a more or less regular border), but it has no diagnosis. It shows
that the program runs and what its output looks like; it says nothing about how accurate it is.

Run `python examples/make_phantoms.py [FOLDER]`; the same seeds always draw the same pictures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Field = NDArray[Any]  # floats, [height, width] or [height, width, 3]; colours are 0 to 1
Colour = tuple[float, float, float]
WIDTH, HEIGHT = 560, 420
SKIN: dict[str, Colour] = {"light": (0.92, 0.77, 0.71), "medium": (0.77, 0.57, 0.45), "dark": (0.45, 0.31, 0.24)}


@dataclass(frozen=True)
class Lesion:
    """Appearance of one drawn lesion; lengths are fractions of the image height."""

    rim: Colour
    core: Colour
    radius: float = 0.27
    irregularity: float = 0.04
    edge: float = 0.10  # width of the fading border
    network: float = 0.5  # strength of the pigment network
    spots: Colour | None = None  # colour of blobs inside
    grain: float = 4.0  # their size in pixels
    veil: float = 0.0  # strength of a blue-grey patch off the centre


def noise(rng: np.random.Generator, scale: float, stretch: float = 1.0) -> Field:
    """Smooth noise with zero mean and unit deviation; `scale` is the size of its grains in pixels."""
    white = rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    field = cv2.GaussianBlur(white, (0, 0), scale * stretch, sigmaY=scale)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def mesh(rng: np.random.Generator, cell: float, thickness: float) -> Field:
    """The borders between the cells of random points: skin lines when wide, a pigment network when narrow; 0 to 1."""
    seeds = (rng.random((HEIGHT, WIDTH)) > 1 / cell**2).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells = labels.astype(np.float32)
    borders = cv2.morphologyEx(cells, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    lines = cv2.GaussianBlur(borders.astype(np.float32), (0, 0), thickness)
    return np.asarray(lines / lines.max(), np.float32)


def blend(image: Field, colour: Colour, weight: Field | float) -> Field:
    """Mix a colour into an image by a weight from 0 to 1."""
    share = np.clip(np.atleast_3d(np.asarray(weight, np.float32)), 0, 1)
    return np.asarray(image * (1 - share) + np.asarray(colour, np.float32) * share, np.float32)


def draw_skin(rng: np.random.Generator, tone: str) -> Field:
    """Skin with mottled colour, fine lines and pores."""
    base = np.asarray(SKIN[tone], np.float32)
    image = np.broadcast_to(base, (HEIGHT, WIDTH, 3)).copy()
    image *= 1 + 0.035 * noise(rng, 45)[..., None] + 0.02 * noise(rng, 12)[..., None]
    image = blend(image, (0.80, 0.40, 0.36), 0.09 + 0.06 * noise(rng, 28))
    image *= 1 - 0.07 * mesh(rng, 11, 1.4)[..., None]
    image *= 1 + 0.016 * noise(rng, 1.2)[..., None] + 0.010 * noise(rng, 1.6, 3)[..., None]
    pores = (rng.random((HEIGHT, WIDTH)) > 0.9993).astype(np.float32)
    return blend(image, (1.0, 0.93, 0.86), 3.5 * cv2.GaussianBlur(pores, (0, 0), 1.4))


def draw_lesion(rng: np.random.Generator, image: Field, lesion: Lesion, tone: str) -> Field:
    """Put a lesion near the middle of the skin."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) / HEIGHT
    x, y = x - WIDTH / HEIGHT / 2 + rng.uniform(-0.06, 0.06), y - 0.5 + rng.uniform(-0.05, 0.05)
    angle, radius = np.arctan2(y, x), np.hypot(x, y * rng.uniform(0.95, 1.25))
    outline = np.ones_like(radius)
    for lobe in range(2, 8):
        outline += lesion.irregularity / (lobe - 1) ** 0.7 * np.cos(lobe * angle + rng.uniform(0, 6.3))
    depth = 1 - radius / (lesion.radius * outline) + lesion.edge * (0.45 * noise(rng, 14) + 0.3 * noise(rng, 5))
    inside = 1 / (1 + np.exp(-np.clip(depth / (0.35 * lesion.edge), -30, 30)))
    shade = 0.8 if tone == "dark" else 1.0
    rim, core = (tuple(shade * part for part in colour) for colour in (lesion.rim, lesion.core))
    image = blend(image, (rim[0], rim[1], rim[2]), inside * (0.72 + 0.10 * noise(rng, 7)))
    image = blend(
        image, (core[0], core[1], core[2]), inside * (1.5 * depth + 0.22 * noise(rng, 22) + 0.1 * noise(rng, 5))
    )
    dots = 0.5 + 0.5 * np.tanh(3 * (noise(rng, 2.2) - 1.6))
    lines = np.clip(mesh(rng, 7.5, 1.0) * 1.2 * (0.75 + 0.35 * noise(rng, 15)) + 0.45 * dots, 0, 1)
    image = image * (1 - lesion.network * (inside * lines)[..., None])
    if lesion.veil:
        patch = np.exp(-(((x - 0.07) / 0.16) ** 2) - ((y + 0.05) / 0.12) ** 2) * (0.6 + 0.3 * noise(rng, 10))
        image = blend(image, (0.42, 0.43, 0.50), lesion.veil * inside * patch)
    if lesion.spots:
        blobs = 0.5 + 0.5 * np.tanh(3 * (noise(rng, lesion.grain) - 1.35))
        image = blend(image, lesion.spots, 0.8 * blobs * inside * (depth > 0.12))
    return np.asarray(image, np.float32)


def draw_hair(rng: np.random.Generator, image: Field, count: int) -> Field:
    """Thin curved hairs across the whole frame."""
    t = np.linspace(0, 1, 60)[:, None]
    for _ in range(count):
        start, bend, end = rng.uniform(-0.1, 1.1, (3, 2)) * (WIDTH, HEIGHT)
        path = (1 - t) ** 2 * start + 2 * t * (1 - t) * (0.5 * (start + end) + 0.22 * (bend - end)) + t**2 * end
        stroke = np.zeros((HEIGHT, WIDTH), np.uint8)
        points = np.round(path * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(stroke, [points], False, 255, 1 + int(rng.random() < 0.4), cv2.LINE_AA, shift=4)
        image = blend(image, (0.17, 0.11, 0.08), stroke.astype(np.float32) / 255 * rng.uniform(0.55, 0.95))
    return image


def draw_bubbles(rng: np.random.Generator, image: Field, count: int) -> Field:
    """Air bubbles in the immersion fluid."""
    for _ in range(count):
        ring, centre, size = (
            np.zeros((HEIGHT, WIDTH), np.uint8),
            rng.uniform((0, 0), (WIDTH, HEIGHT)),
            rng.integers(2, 8),
        )
        cv2.circle(ring, (int(centre[0]), int(centre[1])), int(size), 255, 1, cv2.LINE_AA)
        soft = cv2.GaussianBlur(ring, (0, 0), 0.7).astype(np.float32) / 255
        image = blend(blend(image, (0.30, 0.24, 0.22), 0.7 * soft), (1, 1, 1), 0.6 * np.roll(soft, (-1, -1), (0, 1)))
    return image


def draw_ruler(image: Field) -> Field:
    """A millimetre ruler near the lower edge."""
    ink = Image.new("L", (WIDTH, HEIGHT))
    pen, left, base = ImageDraw.Draw(ink), 150, HEIGHT - 44
    pen.line([(left, base), (left + 260, base)], fill=255)
    for tick in range(21):
        pen.line([(left + 13 * tick, base), (left + 13 * tick, base - (12 if tick % 5 == 0 else 7))], fill=255)
    pen.text((left, base + 3), "MM", fill=255, font=ImageFont.load_default(11))
    return blend(image, (0.12, 0.10, 0.10), 0.85 * np.asarray(ink, np.float32) / 255)


def draw_light(image: Field, frame: bool) -> Field:
    """Fall-off of the light towards the corners, and the black frame of a round eyepiece."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) / HEIGHT
    distance = np.hypot(x - WIDTH / HEIGHT / 2, y - 0.5)
    image = image * (1.04 - 0.33 * distance**2)[..., None]
    return blend(image, (0.02, 0.02, 0.03), 1 / (1 + np.exp(-(distance - 0.60) / 0.008))) if frame else image


def draw_phantom(
    seed: int,
    tone: str,
    lesion: Lesion | None,
    *,
    hair: int = 0,
    bubbles: int = 0,
    ruler: bool = False,
    frame: bool = False,
) -> Image.Image:
    """One dermoscopic phantom."""
    rng = np.random.default_rng(seed)
    image = draw_skin(rng, tone)
    if lesion:
        image = draw_lesion(rng, image, lesion, tone)
    image = draw_bubbles(rng, draw_hair(rng, image, hair), bubbles)
    image = draw_light(draw_ruler(image) if ruler else image, frame)
    image = cv2.GaussianBlur(image, (0, 0), 0.7)
    return Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))


def draw_bricks() -> Image.Image:
    """A brick wall: warm colours and a texture, but no skin."""
    rng = np.random.default_rng(11)
    image = Image.new("RGB", (WIDTH, HEIGHT), (186, 178, 168))
    pen = ImageDraw.Draw(image)
    for row in range(HEIGHT // 42 + 1):
        for column in range(-1, WIDTH // 110 + 2):
            left, top, tint = column * 110 + 55 * (row % 2), row * 42, int(rng.integers(-18, 18))
            pen.rectangle([left, top, left + 103, top + 35], fill=(158 + tint, 84 + tint, 64 + tint))
    grain = 1 + 0.06 * noise(rng, 1.0) + 0.05 * noise(rng, 5)
    return Image.fromarray(np.clip(np.asarray(image) * grain[..., None], 0, 255).astype(np.uint8))


def draw_landscape() -> Image.Image:
    """Hills under an evening sky."""
    sky = np.linspace((0.30, 0.48, 0.78), (0.98, 0.80, 0.60), HEIGHT, dtype=np.float32)[:, None].repeat(WIDTH, 1)
    image = Image.fromarray((sky * 255).astype(np.uint8))
    pen, x = ImageDraw.Draw(image), np.arange(WIDTH)
    pen.ellipse([400, 150, 460, 210], fill=(255, 236, 190))
    for depth, green in enumerate(((120, 140, 130), (80, 118, 84), (46, 84, 50))):
        ridge = 230 + 55 * depth + 26 * np.sin(x / (95 - 18 * depth) + 2.1 * depth) + 9 * np.sin(x / 23 + depth)
        pen.polygon([(0, HEIGHT), *zip(x.tolist(), ridge.tolist(), strict=True), (WIDTH, HEIGHT)], fill=green)
    return image


def draw_page() -> Image.Image:
    """A page of print, stored as a greyscale image."""
    image = Image.new("L", (WIDTH, HEIGHT), 246)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    pen.text((40, 30), "Notes on drawing skin that nobody has", fill=20, font=ImageFont.load_default(22))
    for line in range(13):
        pen.text((40, 76 + 23 * line), f"The quick brown fox jumps over the lazy dog, line {line + 1} of 13.", 40, font)
    return image


def draw_tiles() -> Image.Image:
    """Tiles of random colour."""
    tiles = np.random.default_rng(14).integers(20, 236, (12, 16, 3), np.uint8)
    return Image.fromarray(tiles).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)


def label(image: Image.Image) -> Image.Image:
    """Write SYNTHETIC into the lower right corner."""
    text, font = "SYNTHETIC", ImageFont.load_default(12)
    corner = (WIDTH - 6, HEIGHT - 5)
    ImageDraw.Draw(image).text(corner, text, "white", font, anchor="rs", stroke_width=1, stroke_fill="black")
    return image


def draw_all() -> dict[str, Image.Image]:
    """Every example image by its file name."""
    nevus = Lesion((0.55, 0.34, 0.24), (0.36, 0.20, 0.14))
    several_colours = Lesion((0.40, 0.24, 0.17), (0.14, 0.09, 0.09), 0.32, 0.17, 0.07, 0.55, veil=0.9)
    waxy = Lesion((0.66, 0.47, 0.32), (0.52, 0.35, 0.22), 0.30, 0.05, 0.05, 0.30, spots=(0.93, 0.86, 0.74))
    red = Lesion((0.80, 0.38, 0.36), (0.66, 0.12, 0.16), 0.20, 0.05, 0.06, 0.10, spots=(0.42, 0.03, 0.10), grain=7)
    dark = Lesion((0.40, 0.25, 0.17), (0.20, 0.12, 0.09), 0.24)
    small = Lesion((0.52, 0.32, 0.21), (0.33, 0.18, 0.12), 0.22)
    images = {
        "synthetic_pigment_network_light_skin.jpg": draw_phantom(1, "light", nevus, hair=3, bubbles=6),
        "synthetic_several_colours_medium_skin.jpg": draw_phantom(2, "medium", several_colours, hair=5),
        "synthetic_sharp_border_ruler_light_skin.jpg": draw_phantom(3, "light", waxy, ruler=True),
        "synthetic_red_lagoons_light_skin.jpg": draw_phantom(4, "light", red, bubbles=9),
        "synthetic_pigment_network_dark_skin.jpg": draw_phantom(5, "dark", dark),
        "synthetic_round_frame_medium_skin.jpg": draw_phantom(6, "medium", small, hair=2, frame=True),
        "synthetic_no_lesion_hairy_skin.webp": draw_phantom(7, "medium", None, hair=14),
        "synthetic_not_skin_bricks.jpg": draw_bricks(),
        "synthetic_not_skin_landscape.jpg": draw_landscape(),
        "synthetic_not_skin_page.png": draw_page(),
        "synthetic_not_skin_tiles.png": draw_tiles(),
    }
    return {name: label(image) for name, image in images.items()}


def main(folder: Path) -> None:
    """Write every example image into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in draw_all().items():
        image.save(folder / name, quality=84)
        print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
