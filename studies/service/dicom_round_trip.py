"""DICOM in and out: one synthetic picture in every kind of object and compression, analysed, and read back.

    python studies/service/dicom_round_trip.py --out dicom-round-trip

Prints a row for each file: the largest difference of its pixels from those of the PNG, the Dice overlap of the mask in
its DICOM segmentation with the PNG's mask, whether that segmentation is bit by bit the mask file beside it, whether the
report says the very risk of `results.jsonl`, and how often a planted name, number or UID of the patient is found in
anything that is no DICOM file. Ends with 1 if a lossless file differs at all, a segmentation or a report does not say
what the other results say, or a name is found.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import highdicom
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import UID

sys.path.insert(0, str(Path(__file__).parents[2]))

from dermoscope.analyzer import load_analyzer
from dermoscope.batch import analyze_batch, read_results
from dermoscope.images import decode, read_mask
from tests import dicom_files as made

PHANTOM = Path(__file__).parents[2] / "examples" / "images" / "synthetic_several_colours_medium_skin.jpg"
LOSSY = (made.JPEG_BASELINE, made.JPEG_EXTENDED, made.JPEG_LS_NEAR, made.JPEG_2000)
CLASSES = {
    made.SECONDARY_CAPTURE: "Secondary Capture",
    made.TRUE_COLOUR: "Multi-frame True Color",
    made.PHOTOGRAPH: "VL Photographic",
    made.DERMOSCOPIC: "Dermoscopic Photography",
}
LOSSLESS = (
    *(made.IMPLICIT, made.EXPLICIT, made.JPEG_LOSSLESS, made.JPEG_LOSSLESS_SV1),
    *(made.JPEG_LS, made.JPEG_2000_LOSSLESS, made.RLE),
)


def write_files(folder: Path) -> dict[str, tuple[str, str]]:
    """The picture as a PNG and as DICOM files; kind and transfer syntax by the file's stem."""
    pixels = decode(PHANTOM).rgb
    Image.fromarray(pixels).save(folder / "png.png")
    written = {}
    for sop_class, name in CLASSES.items():
        syntaxes = (*LOSSLESS, *LOSSY) if sop_class == made.DERMOSCOPIC else (made.EXPLICIT, made.JPEG_BASELINE)
        for syntax in syntaxes:
            stem = f"{len(written):02d}"
            (folder / stem).write_bytes(made.dicom(pixels, syntax, sop_class))
            written[stem] = (name, syntax)
    return written


def names_found(out: Path) -> int:
    """How many planted texts lie in the results, DICOM files aside."""
    secrets = [text.encode() for text in (*made.SECRETS.values(), made.PRIVATE_SECRET, "1.2.826.0.1.3680043.8.498.")]
    files = [path for path in out.rglob("*") if path.is_file() and path.parent.name != "dicom"]
    return sum(secret in path.read_bytes() for path in files for secret in secrets)


def report_risk(path: Path) -> float:
    """The malignancy risk in a structured report."""
    (group,) = highdicom.sr.srread(path).content.get_image_measurement_groups()
    return next(found.value for found in group.get_measurements() if found.name.value == "p_malignant")


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Twice what two masks share over the sum of both."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dicom-round-trip"))
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    (out / "in").mkdir(parents=True)
    written = write_files(out / "in")
    results = out / "results"
    analyze_batch([out / "in"], results, load_analyzer(precision="float32"), dicom=True)
    pixels, expected = decode(out / "in" / "png.png").rgb.astype(int), read_mask(results / "masks" / "png.png")
    risks = {found.image_id: found.malignancy for found in read_results(results / "results.jsonl")}
    wrong = found = names_found(results)
    print("| kind | transfer syntax | pixels differ by | Dice with the PNG's mask | SEG = mask file | SR = results |")
    print("| --- | --- | ---: | ---: | --- | --- |")
    for stem, (kind, syntax) in written.items():
        difference = int(np.abs(decode(out / "in" / stem).rgb - pixels).max())
        segmentation = highdicom.seg.segread(results / "dicom" / f"{stem}.seg.dcm").pixel_array.astype(bool)
        overlap = dice(segmentation, expected)
        same_file = np.array_equal(segmentation, read_mask(results / "masks" / f"{stem}.png"))
        risk = risks[stem]
        same_risk = risk is not None and report_risk(results / "dicom" / f"{stem}.sr.dcm") == risk.probability
        wrong += not same_file or not same_risk or (syntax in LOSSLESS and (difference > 0 or overlap < 1))
        answers = " | ".join("yes" if same else "no" for same in (same_file, same_risk))
        print(f"| {kind} | {UID(syntax).name} | {difference} | {overlap:.4f} | {answers} |")
    print(f"\nnames found outside DICOM files: {found}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
