"""Compares gates on pictures that none of them was trained on, all at one operating point.

    python studies/graz/unseen.py --data $DERMOSCOPE_DATA --out runs/graz/unseen
    dermoscope embed runs/graz/unseen/manifest.csv --encoder runs/graz/litemedsam-112 --store runs/graz/store \
        --columns mean,std,levels
    python studies/graz/gates.py --run runs/graz --encoder runs/graz/litemedsam-112 \
        --manifest runs/graz/fewer-nevi.csv --heads runs/graz/litemedsam-112-fewer-nevi-original

Trained gates (`graz-gate`, `gate`), gates that learnt from skin alone (`mahalanobis`, `neighbour-distance`), and the
energy of the logits of `graz-group`. Each refuses where its score lies beyond a quantile of validation images of skin,
so that all refuse the same share of skin there, and none is helped by having seen textures to set a threshold.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dermoscope import taxonomy
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.features.store import FeatureStore
from dermoscope.heads.outliers import energy
from dermoscope.heads.saved import SavedHead, load_head
from dermoscope.training.tasks import SKIN

GATES = ("graz-gate", "gate", "gate_mahalanobis", "gate_neighbour-distance", "graz-group")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"), help="folder with the store and unseen/")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--heads", type=Path, required=True, help="runs of studies/graz/train.py")
    parser.add_argument("--refused", type=float, default=0.005, help="share of validation skin to refuse")
    arguments = parser.parse_args()
    store = FeatureStore.open(arguments.run / "store", EncoderFolder.load(arguments.encoder).description.fingerprint)
    seen = list(read_manifest(arguments.manifest))
    strange = list(read_manifest(arguments.run / "unseen" / "manifest.csv"))
    is_skin = {code: code != taxonomy.NOT_SKIN for code in taxonomy.CODE_NAMES}
    validation = [r for r in seen if r.split == "val" and is_skin[r.diagnosis]]
    skin = [r for r in seen if r.split == "test" and is_skin[r.diagnosis]]
    textures = [r for r in seen if r.split == "test" and not is_skin[r.diagnosis]]
    kinds = {"textures": textures} | {
        kind: [r for r in strange if r.source == kind] for kind in sorted({r.source for r in strange})
    }
    results: dict[str, dict[str, object]] = {}
    for name in GATES:
        head = load_head(arguments.heads / name)
        threshold = float(np.quantile(strangeness(head, store, validation), 1 - arguments.refused))
        on_skin = strangeness(head, store, skin)
        line: dict[str, object] = {"skin refused": asdict(share(on_skin > threshold, skin))}
        for kind, records in kinds.items():
            scores = strangeness(head, store, records)
            truth = np.repeat([0, 1], [len(skin), len(records)])
            auc = float(roc_auc_score(truth, np.concatenate([on_skin, scores])))
            line[kind] = {"auc": auc, "refused": asdict(share(scores > threshold, records))}
        results["energy of graz-group" if name == "graz-group" else name] = line
    print(table(results, {"textures": "textures, held out", **{kind: kind for kind in kinds if kind != "textures"}}))
    (arguments.run / f"gates-{arguments.heads.name}.json").write_text(json.dumps(results, indent=2) + "\n")


def strangeness(head: SavedHead, store: FeatureStore, records: Sequence[Record]) -> NDArray[np.float64]:
    """How strange each image looks `[N]`: the logit of not skin, or the energy of another head's logits."""
    features = np.concatenate([store.of(records, column=column) for column in head.description.columns], axis=1)
    logits = torch.from_numpy(head.logits(features)).double()
    if head.description.task != "gate":
        return energy(logits).numpy()
    skin = [head.description.classes[index] for index in head.description.present].index(SKIN)
    return (logits[:, 1 - skin] - logits[:, skin]).numpy()


def share(refused: NDArray[np.bool_], records: Sequence[Record]) -> Estimate:
    """Share of images that are refused, with an interval that draws whole lesions."""
    groups = [f"{record.source}/{record.group_id}" for record in records]
    return grouped_bootstrap(lambda rows: float(refused[rows].mean()), groups)


def table(results: dict[str, dict[str, object]], kinds: dict[str, str]) -> str:
    """Markdown: share refused of each kind."""
    lines = [f"| gate | skin refused | {' | '.join(kinds.values())} |", "|---" * (len(kinds) + 2) + "|"]
    for name, line in results.items():
        cells = [f"{100 * line['skin refused']['value']:.2f} %"]  # type: ignore[index]
        cells += [f"{100 * line[kind]['refused']['value']:.1f} %, {line[kind]['auc']:.3f}" for kind in kinds]  # type: ignore[index]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
