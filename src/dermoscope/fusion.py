"""What the networks and the heads of a bundle say of an image, made one distribution from which all else follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.abstention import member_disagreement
from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import HEADS, ModePart
from dermoscope.engine import EngineName, Precision
from dermoscope.ensemble.ensemble import Ensemble
from dermoscope.ensemble.probabilities import at_equal_frequencies
from dermoscope.member_networks import MemberNetworks, SeenViews

_CANVAS = 56  # cells along the longer side of an evidence map


@dataclass(frozen=True, eq=False)
class FusedAnswer:
    """What a mode says of an image.

    Attributes:
        probabilities: Of each diagnosis at the frequencies of the mode; they sum to one.
        members: `[M, C, K]`, what each member says about each crop, in the order of the fusion.
        disagreement: How far members and crops are apart, 0 to 1; see `member_disagreement`.
        evidence: `[h, w]` over the whole image: what each cell adds to the log-odds of malignancy, the mean over the
            networks, zero outside of what they saw; none without a network.
    """

    probabilities: Mapping[str, float]
    members: NDArray[np.float64]
    disagreement: float
    evidence: NDArray[np.float32] | None


class FusionModel:
    """The networks of one mode, compiled, and how all answers become one. Safe to use from several threads.

    Args:
        bundle: The model.
        mode: The mode.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        EngineError: If no engine can run a graph.
    """

    def __init__(
        self,
        bundle: Bundle,
        mode: ModePart,
        *,
        engine: EngineName | None,
        precision: Precision,
        threads: int,
        streams: int,
    ) -> None:
        self.mode = mode
        self._ensemble = Ensemble(mode.fusion)
        self._members = {network.name: network for network in mode.networks}
        self._networks = MemberNetworks(
            bundle.folder, mode.networks, engine=engine, precision=precision, threads=threads, streams=streams
        )
        malignant = taxonomy.malignancy_definition(mode.malignancy_definition).malignant
        self._malignant = np.array([code in malignant for code in mode.fusion.classes])

    def answer(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None, heads: Mapping[str, float] | None = None
    ) -> FusedAnswer:
        """Ask everyone about one image.

        Args:
            rgb: `[H, W, 3]`, 8-bit.
            mask: The lesion, at any resolution; none where there is none.
            heads: What the heads say, where they are a member: probability of each diagnosis.

        Raises:
            ValueError: If they are a member, and nothing is given.
        """
        height, width = rgb.shape[:2]
        if mask is not None and mask.shape != (height, width):
            mask = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) > 0
        fusion = self.mode.fusion
        networks = self._networks.on(rgb, mask)
        seen = {name: networks.see(network) for name, network in self._members.items()}
        said = {name: one.probabilities for name, one in seen.items()}
        if HEADS in fusion.members:
            if heads is None:
                raise ValueError("heads: are a member of this mode, and must be given")
            said[HEADS] = np.array([[heads[code] for code in fusion.classes]])
        shape = len(fusion.crops), len(fusion.classes)
        members = np.stack([np.broadcast_to(said[name], shape) for name in fusion.members])
        fused = self._ensemble.combine(members[:, :, None])[0]
        apart = member_disagreement(members)
        maps = [_evidence(one, self._malignant, (height, width)) for one in seen.values()]
        evidence = np.asarray(np.mean(maps, axis=0), np.float32) if maps else None
        return FusedAnswer(dict(zip(fusion.classes, fused.tolist(), strict=True)), members, float(apart), evidence)

    def at_equal_frequencies(self, probabilities: Mapping[str, float]) -> dict[str, float]:
        """The same distribution for a world where all diagnoses are equally frequent."""
        classes = self.mode.fusion.classes
        odds = at_equal_frequencies(np.array([probabilities[code] for code in classes]), self.mode.frequencies)
        return dict(zip(classes, odds.tolist(), strict=True))

    def malignancy(self, probabilities: Mapping[str, float]) -> float:
        """Probability of malignancy, 0 to 1."""
        malignant = taxonomy.malignancy_definition(self.mode.malignancy_definition).malignant
        return min(1.0, sum(value for code, value in probabilities.items() if code in malignant))


def _evidence(seen: SeenViews, malignant: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """What each place adds to the log-odds of malignancy, by the class activation maps of the largest view.

    The log-odds are `log Σ_malignant exp(logit) - log Σ_benign exp(logit)`. Each logit is the mean of its map and a
    bias, so that to first order a place adds its maps, weighed by the share of each class on its side.
    """
    boxes = seen.views.boxes
    view = int(np.argmax([(right - left) * (bottom - top) for left, top, right, bottom in boxes]))
    odds = seen.probabilities[view]
    weights = np.where(malignant, odds, -odds)
    for side in (malignant, ~malignant):
        weights[side] /= max(odds[side].sum(), 1e-12)
    evidence = np.einsum("k,khw->hw", weights, seen.maps[view]) / seen.maps[view][0].size
    scale = _CANVAS / max(size)
    canvas = np.zeros((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), np.float32)
    rows, columns = canvas.shape
    left, top, right, bottom = (round(value * scale) for value in boxes[view])
    # A small box has a cell of its own, also where rounding would put it behind the last one.
    left, top = min(left, columns - 1), min(top, rows - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    place = canvas[top:bottom, left:right]
    place[:] = cv2.resize(evidence.astype(np.float32), place.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return canvas
