from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dermoscope.heads.mlp import AveragedHead, MLPHead
from dermoscope.heads.neighbours import NeighbourHead
from dermoscope.heads.outliers import MahalanobisHead, NeighbourDistanceHead, OutlierHead
from dermoscope.heads.saved import HeadDescription, HeadError, SavedHead, load_head

FEATURES = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)


def mlp(seed: int = 0, hidden: tuple[int, ...] = (8, 4)) -> MLPHead:
    torch.manual_seed(seed)
    return MLPHead(2, torch.randn(6), torch.rand(6) + 0.5, hidden, 0.3).eval()


def saved(kind: str) -> SavedHead:
    common = {
        "version": "0",
        "recipe": "r",
        "task": "group",
        "classes": ("a", "b", "c"),
        "present": (0, 2),
        "encoder": "0123456789abcdef",
        "columns": ("mean", "std"),
        "features": 6,
        "temperature": 1.7,
        "bias": (0.25, -0.25),
    }
    if kind == "knn":
        module = NeighbourHead(torch.randn(9, 6), torch.arange(9) % 2, 2, torch.zeros(6), torch.ones(6), 3)
        return SavedHead(
            HeadDescription.model_validate({**common, "kind": "knn", "neighbours": 3, "stored": 9}), module
        )
    if kind == "mahalanobis":
        gate: OutlierHead = MahalanobisHead(torch.randn(6), torch.rand(6) + 0.5, 1, torch.randn(6), torch.randn(6, 6))
        gate.slope.fill_(3.0)
        return SavedHead(HeadDescription.model_validate({**common, "kind": kind}), gate)
    if kind == "neighbour-distance":
        gate = NeighbourDistanceHead(torch.randn(6), torch.rand(6) + 0.5, 1, torch.randn(9, 6), 3)
        gate.border.fill_(0.7)
        return SavedHead(HeadDescription.model_validate({**common, "kind": kind, "neighbours": 3, "stored": 9}), gate)
    if kind == "linear":
        return SavedHead(HeadDescription.model_validate({**common, "kind": "mlp"}), mlp(hidden=()))
    members = {"mlp": 1, "average": 3}[kind]
    heads = [mlp(seed) for seed in range(members)]
    described = HeadDescription.model_validate({**common, "kind": "mlp", "hidden": (8, 4), "members": members})
    return SavedHead(described, heads[0] if members == 1 else AveragedHead(heads))


def write(head: SavedHead, folder: Path) -> Path:
    for name, content in head.files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", ["mlp", "average", "linear", "knn", "mahalanobis", "neighbour-distance"])
def test_there_and_back(kind: str, tmp_path: Path) -> None:
    head = saved(kind)
    back = load_head(write(head, tmp_path))
    assert np.array_equal(back.logits(FEATURES), head.logits(FEATURES))
    assert np.array_equal(back.predict_proba(FEATURES), head.predict_proba(FEATURES))
    assert back.description.weights_sha256
    assert "Not a medical device" in back.description.intended_use


def test_probabilities_are_calibrated_and_in_their_classes() -> None:
    head = saved("mlp")
    found = head.predict_proba(FEATURES)
    logits = head.logits(FEATURES).astype(np.float64) / 1.7 + [0.25, -0.25]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, [0, 2]], expected)
    assert (found[:, 1] == 0).all()


def test_features_of_another_length_are_refused() -> None:
    with pytest.raises(HeadError, match=r"reads 6 numbers \(mean \+ std\), the features have 4"):
        saved("mlp").logits(FEATURES[:, :4])


def test_a_missing_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeadError, match=r"head\.json does not exist"):
        load_head(tmp_path)


def test_changed_tensors_are_refused(tmp_path: Path) -> None:
    write(saved("mlp"), tmp_path)
    other = saved("linear").files()["head.safetensors"]
    (tmp_path / "head.safetensors").write_bytes(other)
    with pytest.raises(HeadError, match="is not the file that"):
        load_head(tmp_path)


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"kind": "forest"}, {"extra": 1}, {"present": "all"}], ids=str
)
def test_a_description_of_another_version_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    write(saved("mlp"), tmp_path)
    path = tmp_path / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HeadError, match=r"head\.json is no head of this version"):
        load_head(tmp_path)


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(saved("mlp"), tmp_path)
    path = tmp_path / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden": [8]}))
    with pytest.raises(HeadError, match=r"does not fit head\.json"):
        load_head(tmp_path)
