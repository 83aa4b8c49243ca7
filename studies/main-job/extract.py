"""Features of every image of the manifest, once as it is, and once more in a random view for the training images.

    python studies/main-job/extract.py --run runs/main-job --weights weights/litemedsam.safetensors

Writes `encoder.onnx`, `decoder.onnx` and `features.npz` into the run; an interrupted extraction goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dermoscope.data.manifest import read_manifest
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.registry import encoder_spec
from dermoscope.engine import compile_graph
from dermoscope.training.export import ENCODER, export_sam_graphs, load_parts
from dermoscope.training.features import extract_features
from dermoscope.training.views import ORIGINAL

ENCODER_NAME = "litemedsam"
CONTRACT = InputContract(size=112, fit="squash", scaling="min-max", map_size=28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"), help="folder with manifest.csv")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors of the encoder and decoder")
    parser.add_argument("--views", type=int, default=1, help="random views of each training image")
    arguments = parser.parse_args()
    if not (arguments.run / ENCODER).exists():
        export_sam_graphs(load_parts(encoder_spec(ENCODER_NAME), arguments.weights, CONTRACT), CONTRACT, arguments.run)
    encoder = compile_graph(arguments.run / ENCODER, streams=2, threads=2)
    records = list(read_manifest(arguments.run / "manifest.csv"))
    table = arguments.run / "features.npz"
    extract_features(records, [ORIGINAL], encoder, CONTRACT, table)
    training = [record for record in records if record.split == "train"]
    for number in range(1, arguments.views + 1):
        extract_features(training, [f"view-{number}"], encoder, CONTRACT, table)


if __name__ == "__main__":
    main()
