"""Pictures that no gate of this study was trained on: photographs by what they show, drawn documents, made-up X-rays.

    python studies/graz/unseen.py --data $DERMOSCOPE_DATA --out runs/graz/unseen

Writes `manifest.csv`, every row of split `test` and not skin, its kind as the source; what is drawn lies beside it as
PNG. Kinds come from the ImageNet class in a file's name; people are picked by eye, because no class says so.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.images import save_png

PEOPLE = frozenset([
    "academic_gown", "barbell", "bathing_cap", "bikini", "bow_tie", "brassiere", "cowboy_hat", "flute", "gown",
    "groom", "hair_spray", "kimono", "maillot", "matchstick", "military_uniform", "mortarboard", "oxygen_mask",
    "pajama", "sarong", "shower_cap", "swimming_trunks", "syringe", "wig",
])  # fmt: skip
"""Classes whose picture shows faces, hands or bare skin."""
LAST_ANIMAL, FIRST_FISH, LAST_FISH = "n02514041", "n02536864", "n02655020"
DOCUMENTS = frozenset(["comic_book", "crossword_puzzle", "menu", "web_site"])
WORDS = [
    "patient", "name", "date", "of", "birth", "finding", "biopsy", "margin", "report", "left", "right",
    "lesion", "see", "page", "two", "signed", "total", "mm",
]  # fmt: skip
SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with natural/")
    parser.add_argument("--out", type=Path, default=Path("runs/graz/unseen"))
    parser.add_argument("--made", type=int, default=60, help="documents and X-rays to draw, each")
    arguments = parser.parse_args()
    records = [*photographs(arguments.data / "natural"), *drawn(arguments.out, arguments.made)]
    write_manifest(records, arguments.out / "manifest.csv")
    print(dict(Counter(record.source for record in records)))


def photographs(natural: Path) -> Iterator[Record]:
    """Every photograph with its kind."""
    for path in sorted((natural / "imagenet_samples").glob("*.jpg")):
        yield record(path, kind_of(*path.stem.split("_", 1)))
    for path in sorted((natural / "bsds500").glob("*.jpg")):
        yield record(path, "scenes")


def kind_of(synset: str, name: str) -> str:
    """What a picture of an ImageNet class shows."""
    if name in PEOPLE:
        return "people"
    if name in DOCUMENTS:
        return "documents"
    if synset <= LAST_ANIMAL or FIRST_FISH <= synset <= LAST_FISH:
        return "animals"
    return "food" if synset.startswith("n07") else "things"


def drawn(out: Path, count: int) -> Iterator[Record]:
    """Pages of text and grey pictures with bones."""
    out.mkdir(parents=True, exist_ok=True)
    for kind, draw in (("documents", page), ("X-ray-like greys", x_ray)):
        for number in range(count):
            path = out / f"{kind.replace(' ', '-')}-{number:03}.png"
            save_png(draw(np.random.default_rng([number, len(kind)])), path)
            yield record(path, kind)


def record(path: Path, kind: str) -> Record:
    """One row of the manifest."""
    return Record(image_id=path.stem, path=path, diagnosis=taxonomy.NOT_SKIN, source=kind, split="test")


def page(random: np.random.Generator) -> NDArray[np.uint8]:
    """Paper, unevenly lit, with lines of words."""
    paper = random.uniform(205, 250) + random.uniform(-10, 10, 3) + shade(random, 12)[..., None]
    picture = np.ascontiguousarray(np.clip(paper, 0, 255).astype(np.uint8))
    size, ink = float(random.uniform(0.28, 0.6)), [int(random.integers(0, 90))] * 3
    step = int(size * 34)
    for y in range(step, SIDE, step):
        line = " ".join(random.choice(WORDS, 9))
        cv2.putText(
            picture, line, (int(random.integers(4, 20)), y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA
        )
    return picture


def x_ray(random: np.random.Generator) -> NDArray[np.uint8]:
    """A soft grey body on black with brighter ribs."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    body = np.clip(1.3 - (x / random.uniform(0.6, 1.0)) ** 2 - (y / random.uniform(0.8, 1.4)) ** 2, 0, 1) ** 0.6
    ribs = np.zeros((SIDE, SIDE), np.float32)
    for height in np.linspace(-0.7, 0.7, int(random.integers(5, 10))):
        bow = height + random.uniform(0.15, 0.35) * x**2
        ribs += np.exp(-(((y - bow) / 0.03) ** 2)).astype(np.float32)
    spine = np.exp(-((x / 0.07) ** 2))
    grey = 140 * body * (1 - 0.4 * np.exp(-(((np.abs(x) - 0.4) / 0.25) ** 2))) + 45 * body * (ribs + spine)
    grey += shade(random, 8) + random.normal(0, 4, grey.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def shade(random: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Slow changes of brightness `[SIDE, SIDE]`."""
    return np.asarray(cv2.resize(random.normal(0, strength, (4, 4)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    main()
