"""Which of the decoder's masks is the lesion, and why each of the others is not.

Every candidate first has to pass the rules: not the whole view, not a speck, in one piece, not wrapped around the
border, believed in by the decoder, stable, and unlike a better one. The survivors are ranked by

    score = predicted IoU² × stability × √consensus × contrast × centrality

where each factor lies between 0 and 1. The powers were chosen on 958 ISIC 2018 training images.

Reference for the rules on area, pieces and duplicates: T. Parkhomenko, lesion analysis on frozen SAM2 features, TU
Graz; for stability: Kirillov et al., Segment Anything, 2023 (arXiv 2304.02643).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

WON = "highest score"
EMPTY = "empty"


@dataclass(frozen=True)
class SelectionRules:
    """Constants that depend on the decoder.

    Attributes:
        mask_tokens: Which of the decoder's four masks are candidates: 0 is the single mask, 1 to 3 the multimask ones.
        largest_share: Largest share of the field of view that a mask may cover.
        smallest_share: Smallest share of the field of view that a mask may cover.
        most_pieces: How many pieces a mask may have.
        piece_share: A piece counts from this share of the mask's area on.
        most_border: Largest share of the image's border that a mask may touch.
        least_predicted_iou: Lowest overlap the decoder may predict, 0 to 1.
        least_stability: Lowest stability, 0 to 1.
        stability_offset: Logits by which the threshold is moved up and down to judge stability.
        duplicate_iou: Two masks that overlap more than this are the same one.
        full_contrast: CIE76 colour difference between the mask and the ring around it that counts as full contrast.
        centre_spread: Distance of the mask from the image's centre, as a share of its sides, that counts as one
            standard deviation.
    """

    mask_tokens: tuple[int, ...] = (0,)
    largest_share: float = 0.8
    smallest_share: float = 0.002
    most_pieces: int = 3
    piece_share: float = 0.05
    most_border: float = 0.75
    least_predicted_iou: float = 0.4
    least_stability: float = 0.4
    stability_offset: float = 1.0
    duplicate_iou: float = 0.95
    full_contrast: float = 60.0
    centre_spread: float = 0.25


@dataclass(frozen=True)
class Candidate:
    """One mask, measured and judged.

    Attributes:
        prompt: Name of the prompt that produced it.
        token: Which of the decoder's masks it is, 0 to 3.
        predicted_iou: The decoder's own estimate of the overlap with the true object, clipped to 0…1.
        stability: Overlap of the mask at a stricter and a laxer threshold, 0 to 1.
        area_fraction: Share of the image it covers, 0 to 1.
        view_fraction: Share of the field of view it covers, 0 to 1.
        pieces: Number of pieces that count.
        border: Share of the image's border it touches, 0 to 1.
        consensus: Mean IoU with all candidates, itself included, 0 to 1, so that a loner is not worth nothing.
        contrast: Colour difference between the mask and the ring around it, relative to full contrast, 0 to 1.
        centrality: How near its centre of mass lies to the image's centre, 0 to 1.
        score: Product of the factors above; higher is better.
        kept: Whether it survived every rule.
        reason: Why it was dropped, or why it won; empty for a survivor that came second.
    """

    prompt: str
    token: int
    predicted_iou: float
    stability: float
    area_fraction: float
    view_fraction: float
    pieces: int
    border: float
    consensus: float
    contrast: float
    centrality: float
    score: float
    kept: bool
    reason: str


@dataclass(frozen=True)
class Selection:
    """The outcome of `select_mask`.

    Attributes:
        chosen: Index of the winner among the candidates, or none if no mask survived.
        candidates: Every mask in the order given, with its fate.
    """

    chosen: int | None
    candidates: tuple[Candidate, ...]


def select_mask(
    logits: NDArray[np.float32],
    predicted_iou: NDArray[np.float32],
    names: Sequence[str],
    rgb: NDArray[np.uint8],
    view: NDArray[np.bool_],
    rules: SelectionRules,
) -> Selection:
    """Judge the decoder's masks by the rules and rank the survivors.

    Args:
        logits: Mask logits `[N, 4, h, w]` over the image; positive is lesion.
        predicted_iou: The decoder's estimates `[N, 4]`.
        names: Names of the N prompts.
        rgb: 8-bit image of shape (height, width, 3), any size; it is resized to the logits.
        view: Boolean field of view of the image's height and width.
        rules: Constants that depend on the decoder.
    """
    rows, columns = logits.shape[-2:]
    small = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.float32)
    small_view = cv2.resize(view.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    keys = [(prompt, token) for prompt in range(len(names)) for token in rules.mask_tokens]
    masks = np.stack([logits[key] > 0 for key in keys])
    overlaps = pairwise_iou(masks)
    consensus = overlaps.mean(axis=1)
    measured = []
    for index, (prompt, token) in enumerate(keys):
        mask = masks[index]
        candidate = Candidate(
            prompt=names[prompt],
            token=token,
            predicted_iou=float(np.clip(predicted_iou[prompt, token], 0, 1)),
            stability=stability_score(logits[prompt, token], rules.stability_offset),
            area_fraction=float(mask.mean()),
            view_fraction=float((mask & small_view).sum() / max(int(small_view.sum()), 1)),
            pieces=count_pieces(mask, rules.piece_share),
            border=border_share(mask),
            consensus=float(consensus[index]),
            contrast=min(colour_contrast(mask, lab, small_view) / rules.full_contrast, 1.0),
            centrality=centrality(mask, rules.centre_spread),
            score=0.0,
            kept=False,
            reason="",
        )
        candidate = replace(candidate, score=_score(candidate))
        reason = _fault(candidate, rules)
        measured.append(replace(candidate, kept=not reason, reason=reason))
    return _ranked(measured, overlaps, rules)


def stability_score(logits: NDArray[np.float32], offset: float) -> float:
    """IoU of the masks at thresholds `offset` and `-offset` of logits of shape (h, w); 0 if both are empty."""
    strict, lax = int((logits > offset).sum()), int((logits > -offset).sum())
    return strict / lax if lax else 0.0


def pairwise_iou(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU `[N, N]` of every two of N masks `[N, h, w]`; 0 where both are empty."""
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    both = (flat @ flat.T).astype(np.float64)
    area = np.diag(both)
    union = area[:, None] + area[None, :] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def count_pieces(mask: NDArray[np.bool_], piece_share: float) -> int:
    """Number of connected pieces that make up at least `piece_share` of the area of a mask of shape (h, w)."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    return int((areas >= piece_share * areas.sum()).sum())


def border_share(mask: NDArray[np.bool_]) -> float:
    """Share of the outermost pixels that a mask of shape (h, w) covers, 0 to 1."""
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return float(border.mean())


def centrality(mask: NDArray[np.bool_], spread: float) -> float:
    """Gaussian of the distance between a mask's centre of mass and the image's centre, in units of the sides.

    Args:
        mask: Boolean array of shape (h, w).
        spread: Standard deviation, as a share of the sides.

    Returns:
        1 in the centre, falling towards 0; 0 for an empty mask.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    down = (rows.mean() + 0.5) / mask.shape[0] - 0.5
    across = (columns.mean() + 0.5) / mask.shape[1] - 0.5
    return float(np.exp(-(down**2 + across**2) / spread**2 / 2))


def colour_contrast(mask: NDArray[np.bool_], lab: NDArray[np.float32], view: NDArray[np.bool_]) -> float:
    """CIE76 difference between the mean colour of a mask and that of the ring around it.

    Args:
        mask: Boolean array of shape (h, w).
        lab: CIE Lab image of shape (h, w, 3).
        view: Boolean field of view of shape (h, w); the ring stays inside.

    Returns:
        Distance in Lab, 0 or more; 0 where the mask is empty or leaves no room for a ring. The ring is a quarter as
        wide as the square root of the mask's area.
    """
    area = int(mask.sum())
    if not area:
        return 0.0
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    ring = ~mask & view & (distance <= max(2.0, 0.25 * np.sqrt(area)))
    if not ring.any():
        return 0.0
    inside, around = (np.array(cv2.mean(lab, part.astype(np.uint8))) for part in (mask, ring))
    return float(np.linalg.norm(inside - around))


def _score(candidate: Candidate) -> float:
    belief = candidate.predicted_iou**2 * candidate.stability * np.sqrt(candidate.consensus)
    return float(belief * candidate.contrast * candidate.centrality)


def _fault(candidate: Candidate, rules: SelectionRules) -> str:
    """The first rule that a candidate breaks, in words; empty if it breaks none."""
    if not candidate.area_fraction:
        return EMPTY
    if candidate.view_fraction > rules.largest_share:
        return f"covers {candidate.view_fraction:.0%} of the view, more than {rules.largest_share:.0%}"
    if candidate.view_fraction < rules.smallest_share:
        return f"covers {candidate.view_fraction:.2%} of the view, less than {rules.smallest_share:.2%}"
    if candidate.pieces > rules.most_pieces:
        return f"{candidate.pieces} pieces, more than {rules.most_pieces}"
    if candidate.border > rules.most_border:
        return f"touches {candidate.border:.0%} of the border, more than {rules.most_border:.0%}"
    if candidate.predicted_iou < rules.least_predicted_iou:
        return f"predicted IoU {candidate.predicted_iou:.2f}, less than {rules.least_predicted_iou:.2f}"
    if candidate.stability < rules.least_stability:
        return f"stability {candidate.stability:.2f}, less than {rules.least_stability:.2f}"
    return ""


def _ranked(candidates: list[Candidate], overlaps: NDArray[np.float64], rules: SelectionRules) -> Selection:
    """Drop near-duplicates of better survivors and name the winner."""
    judged = list(candidates)
    order = sorted((i for i, c in enumerate(judged) if c.kept), key=lambda i: judged[i].score, reverse=True)
    distinct: list[int] = []
    for index in order:
        twin = next((better for better in distinct if overlaps[index, better] > rules.duplicate_iou), None)
        if twin is None:
            distinct.append(index)
        else:
            reason = f"same as the mask of {judged[twin].prompt} (IoU {overlaps[index, twin]:.2f})"
            judged[index] = replace(judged[index], kept=False, reason=reason)
    if not distinct:
        return Selection(None, tuple(judged))
    judged[distinct[0]] = replace(judged[distinct[0]], reason=WON)
    return Selection(distinct[0], tuple(judged))
