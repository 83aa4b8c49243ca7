"""`dermoscope similar`."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dermoscope.features.similar import SimilarCase

Switch = Annotated[bool, Parameter(show_default=False)]

_STRIP_PIXELS = 512


def similar(
    image: Path,
    /,
    *,
    store: str,
    manifest: Path,
    encoder: Path,
    k: Annotated[int, Parameter(name=["-k", "--count"])] = 8,
    out: Path | None = None,
    precision: Literal["auto", "float32"] = "auto",
    json: Switch = False,
) -> int:
    """Show the stored cases that look most like an image. Research use only, not a medical device.

    For example, the eight nearest, with a picture of them:

    dermoscope similar mole.jpg --store features --manifest manifest.csv --encoder sam2-tiny --out strip.png

    Nearness is the cosine distance of the encoder's features, 0 to 2. Labels come from the manifest; the image itself,
    where it is stored, is left out. The picture shows patients' images: mind where it goes.

    Needs the store extra: pip install "dermoscope[store]".

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but the file of a case cannot be read for the picture.

    Args:
        image: The image.
        store: Where dermoscope embed put the features.
        manifest: The cases, with their labels.
        encoder: Folder of the encoder that made the features.
        k: How many cases.
        out: A PNG with the image and its cases side by side.
        precision: As the store was made.
        json: Print the cases as JSON.
    """
    from dermoscope.data.manifest import read_manifest
    from dermoscope.encoders.folder import EncoderFolder
    from dermoscope.engine import EngineError
    from dermoscope.features.encoder import compile_encoder
    from dermoscope.features.errors import FeatureError, StoreError
    from dermoscope.features.similar import query_of, similar_cases
    from dermoscope.features.store import FeatureStore
    from dermoscope.images import ImageError, decode

    if k < 1:
        return fail(f"-k: needs 1 or more, not {k}", ExitCode.USAGE)
    if out is not None and out.suffix.lower() != ".png":
        return fail(f"--out: {out} does not end in .png", ExitCode.USAGE)
    try:
        records = list(read_manifest(manifest))
        folder = EncoderFolder.load(encoder)
        features = FeatureStore.open(store, folder.description.fingerprint)
        query = query_of(image, folder.description.contract, compile_encoder(folder, precision=precision))
        cases = similar_cases(query, features, records, k)
        if not cases:
            return fail(f"no image of {manifest} is stored in {store}; run: dermoscope embed {manifest}")
        gone = _draw(decode(image, max_side=_STRIP_PIXELS).rgb, cases, out) if out else []
    except OSError as error:
        return fail(f"{error.filename or manifest}: {error.strerror}" if error.strerror else str(error))
    except (StoreError, FeatureError, EngineError, ImageError, ValueError, ImportError) as error:
        return fail(str(error))
    for line in gone:
        fail(line)
    code = ExitCode.PARTLY if gone else ExitCode.DONE
    if json:
        print(json_format.dumps(_as_json(image, cases, out, code), indent=2))
    else:
        _print(cases, out)
    return code


def _draw(rgb: NDArray[np.uint8], cases: Sequence[SimilarCase], out: Path) -> list[str]:
    """Write the strip, and say of which cases the picture is gone."""
    from dermoscope.features.strip import picture_strip
    from dermoscope.images import ImageError, decode, save_png

    cells: list[tuple[NDArray[np.uint8] | None, str, str]] = []
    gone = []
    for case in cases:
        picture = None
        try:
            picture = decode(case.record.path, max_side=_STRIP_PIXELS).rgb
        except ImageError as error:
            gone.append(str(error))
        cells.append((picture, f"{_label(case)}   {case.distance:.4f}", case.record.image_id))
    save_png(picture_strip(rgb, cells), out)
    return gone


def _label(case: SimilarCase) -> str:
    return case.record.diagnosis or "no label"


def _as_json(image: Path, cases: Sequence[SimilarCase], out: Path | None, code: ExitCode) -> dict[str, object]:
    shown = ("image_id", "diagnosis", "source", "lesion_id", "split")
    found = [
        {
            "rank": rank,
            "distance": round(case.distance, 6),
            **case.record.model_dump(include=set(shown)),
            "path": str(case.record.path),
        }
        for rank, case in enumerate(cases, 1)
    ]
    picture = str(out) if out else None
    return {"image": str(image), "cases": found, "picture": picture, "exit_code": int(code), "notice": RESEARCH_USE}


def _print(cases: Sequence[SimilarCase], out: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.images import printable

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("distance", justify="right", no_wrap=True)
    for heading in ("label", "image", "lesion", "source"):
        table.add_column(heading, overflow="fold")
    for rank, case in enumerate(cases, 1):
        record = case.record
        words = (_label(case), record.image_id, record.lesion_id, record.source)
        table.add_row(str(rank), f"{case.distance:.4f}", *(Text(printable(word)) for word in words))
    console.print(table)
    if out:
        console.print(Text(f"Look here: {printable(out)}"), soft_wrap=True)
    console.print(RESEARCH_USE, style="dim")
