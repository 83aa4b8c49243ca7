"""Screens a folder of images with the Python API and prints one line for each.

Run `python examples/analyze_folder.py [FOLDER]`. Research use only, not a medical device.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dermoscope


def main(folder: Path) -> None:
    """Print what `dermoscope` says about each image of a folder, the riskiest first."""
    analyzer = dermoscope.load()  # the bundle inside the package: load once, analyse many
    analyses = [analyzer.analyze(path, image_id=path.stem).analysis for path in sorted(folder.iterdir())]

    for analysis in sorted(analyses, key=lambda one: -one.malignancy.probability if one.malignancy else 0.0):
        risk = analysis.malignancy
        if risk and not analysis.abstained:
            print(f"{analysis.image_id}: {analysis.top_group}, risk {risk.probability:.2f} ({risk.definition})")
        else:
            flag = "; flagged all the same: have it looked at" if analysis.flagged_without_answer else ""
            print(f"{analysis.image_id}: no answer, {analysis.abstain_reason}{flag}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
