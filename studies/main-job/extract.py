"""What the encoder says of the training and validation images as they are, and of the training images in random views.

One view of each; more of what is rare: healthy skin, dermatofibromas, vascular lesions, and what is not skin. Close-ups
of what is not skin are textures that no collection has.

    python studies/main-job/extract.py --run runs/main-job --weights weights/litemedsam.safetensors

Writes `encoder.onnx`, `decoder.onnx` and `features.npz` into the run; an interrupted extraction goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from prepare import HEALTHY

from dermoscope import taxonomy
from dermoscope.data.manifest import read_manifest
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.registry import encoder_spec
from dermoscope.engine import compile_graph
from dermoscope.training.export import ENCODER, export_sam_graphs, load_parts
from dermoscope.training.features import extract_features
from dermoscope.training.views import CLOSE_UP, ORIGINAL

ENCODER_NAME = "litemedsam"
CONTRACT = InputContract(size=112, fit="squash", scaling="min-max", map_size=28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"), help="folder with manifest.csv")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors of the encoder and decoder")
    arguments = parser.parse_args()
    if not (arguments.run / ENCODER).exists():
        export_sam_graphs(load_parts(encoder_spec(ENCODER_NAME), arguments.weights, CONTRACT), CONTRACT, arguments.run)
    encoder = compile_graph(arguments.run / ENCODER, streams=2, threads=2)
    records = [record for record in read_manifest(arguments.run / "manifest.csv") if record.split != "test"]
    table = arguments.run / "features.npz"
    extract_features(records, [ORIGINAL], encoder, CONTRACT, table)
    training = [record for record in records if record.split == "train"]
    not_skin = [record for record in training if record.diagnosis == taxonomy.NOT_SKIN]
    healthy = [record for record in training if record.source == HEALTHY]
    rare = [record for record in training if record.diagnosis in ("DF", "VASC")]
    plan = {
        "view-1": training,
        "view-2": healthy + not_skin + rare,
        "view-3": rare,
        "view-4": rare,
        f"{CLOSE_UP}-1": not_skin,
        f"{CLOSE_UP}-2": not_skin,
    }
    for view, chosen in plan.items():
        extract_features(chosen, [view], encoder, CONTRACT, table)


if __name__ == "__main__":
    main()
