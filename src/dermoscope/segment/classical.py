"""A lesion mask from classical image processing alone: a watershed, mixtures of colours, and a vote; no network.

Three candidates are made, cleaned, and joined in the one of seven ways that leaves the most even skin outside.

Reference: the mask pipeline of Cartaya and Rivas, Dermoscopic diagnosis challenge, University of Girona, 2023. Known of
it are the steps and the sizes of the markers; `classical_mask` says what is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from dermoscope.images import field_of_view
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.saliency import fill_holes, salient_region
from dermoscope.segment.selection import pairwise_iou

# The image is judged at this size; lengths below are pixels there.
_LONG_SIDE = 256
_SHORTEST_SIDE = 16
# 9 and 51 pixels in an image 512 wide.
_LESION_EROSION = 5
_SKIN_EROSION = 25
_SHIFT_RADIUS = 6
_SHIFT_LEVELS = 15
_COMPONENTS = (2, 3, 4)
_FITTED_PIXELS = 2000
_COLOUR_NOISE = 0.3
_MEDIAN = 7
_RIM = 0.38
_CENTRE_SPREAD = 0.25
_LEAST_CENTRALITY = 0.25
_EDGE_SMOOTHING = 1.0


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the candidates are made from, at the size the image is judged at.

    Attributes:
        smooth: 8-bit image `[h, w, 3]` after mean shift.
        lab: The same in CIE Lab.
        view: Field of view `[h, w]`.
        skin: CIE Lab colour `[3]` of the skin along the rim.
        central: Gaussian of the distance from the centre `[h, w]`, 1 in the middle.
    """

    smooth: NDArray[np.uint8]
    lab: NDArray[np.float32]
    view: NDArray[np.bool_]
    skin: NDArray[np.float32]
    central: NDArray[np.float32]


def classical_mask(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The lesion, found by colour and place.

    The candidates:

    1. a watershed from the pixels that are surely lesion and surely skin, by Otsu's threshold on the mean of red and
       blue;
    2. the component of a mixture of two Gaussians over the colours whose mean differs most from skin's;
    3. of the mixtures of three and four, the components more different from skin than the others, cut off where the
       region agrees best with all other regions of the mixtures and the watershed (mean IoU).

    Each is cleaned with a median, loses the pieces that lie far from the centre, and has its holes filled. Of the
    seven unions of one, two or three, the one is taken that has the greatest sum of

        fall of the colour spread outside + share of the view outside + mean IoU with the three candidates

    where the fall is that of the standard deviations in CIE Lab, relative to those of the whole view. What remains is
    the large and central piece of that union.

    What is ours: the size the image is judged at (256 pixels), that the watershed floods the image after mean shift,
    which rule of the reference chooses which candidate, Lab as the space of the mixtures, all constants but the sizes
    of the markers and the median, equal weights in the sum, and that one piece remains. Every choice was made on
    training images of HAM10000 and ISIC 2018.

    Args:
        rgb: 8-bit image of shape (height, width, 3), any size. Hair should be gone; the dark frame need not be.

    Returns:
        Boolean mask of shape (height, width), one piece without holes; all false if nothing stands out from the skin.
    """
    height, width = rgb.shape[:2]
    scene = _scene(rgb)
    flooded = clean_region(flooded_region(scene.smooth, scene.view), scene.central)
    mixtures = [different_groups(scene.lab, scene.view, scene.skin, count) for count in _COMPONENTS]
    two, *more = ([clean_region(group, scene.central) for group in groups] for groups in mixtures)
    agreed = most_agreeing([group for groups in more for group in groups], [*two, flooded])
    union = best_union([flooded, *two, agreed], scene.lab, scene.view)
    if union is None:
        return np.zeros((height, width), np.bool_)
    lesion = salient_region(union.astype(np.float32))
    edge = np.asarray(cv2.GaussianBlur(lesion.astype(np.float32), (0, 0), _EDGE_SMOOTHING), np.float32)
    finished = finish_mask(edge - np.float32(0.5), width, height)
    return np.zeros((height, width), np.bool_) if finished is None else finished.mask


def flooded_region(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What a watershed floods from the pixels that are surely lesion, before the flood from the skin meets it.

    Args:
        rgb: 8-bit image of shape (h, w, 3).
        view: Boolean field of view of shape (h, w); what lies outside counts as skin.

    Returns:
        Boolean array of shape (h, w); the dark side of Otsu's threshold itself, where erosion leaves nothing of it, or
        nothing of the skin.
    """
    brightness = ((rgb[..., 0].astype(np.uint16) + rgb[..., 2]) // 2).astype(np.uint8)
    level, _ = cv2.threshold(brightness[view].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = (brightness <= level) & view
    surely_lesion = _eroded(dark, _LESION_EROSION)
    surely_skin = _eroded(~dark, _SKIN_EROSION)
    if not surely_lesion.any() or not surely_skin.any():
        return dark
    markers = surely_lesion + 2 * surely_skin.astype(np.int32)
    return np.asarray(cv2.watershed(rgb, markers) == 1)


def different_groups(
    lab: NDArray[np.float32], view: NDArray[np.bool_], skin: NDArray[np.float32], count: int
) -> list[NDArray[np.bool_]]:
    """Regions of the one, two and more components of a mixture whose means differ most from the skin's colour.

    Args:
        lab: CIE Lab image of shape (h, w, 3).
        view: Boolean field of view of shape (h, w), not empty; components are fitted to it, and lie in it.
        skin: CIE Lab colour `[3]`.
        count: Number of components, 2 or more.

    Returns:
        `count` - 1 boolean arrays of shape (h, w), each inside the next.
    """
    colours = lab[view]
    # With repetition where the view is small, so that there are always more pixels than components.
    fitted = colours[np.linspace(0, len(colours) - 1, _FITTED_PIXELS).astype(np.intp)].astype(np.float64)
    mixture = _mixture(fitted, np.linalg.norm(fitted - skin, axis=1), count)
    by_difference = np.argsort(-np.linalg.norm(mixture.means_ - skin, axis=1))
    rank = np.full(view.shape, count, np.intp)
    rank[view] = by_difference.argsort()[mixture.predict(colours)]
    return [rank < kept for kept in range(1, count)]


def most_agreeing(regions: Sequence[NDArray[np.bool_]], others: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Of some regions of shape (h, w), the one with the highest mean IoU with all of them and all others."""
    agreement = pairwise_iou(np.stack([*regions, *others])).mean(axis=1)[: len(regions)]
    return regions[int(agreement.argmax())]


def clean_region(region: NDArray[np.bool_], central: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A region without ragged edges, pieces that lie far out, and holes.

    Args:
        region: Boolean array of shape (h, w).
        central: How likely a lesion is at each pixel `[h, w]`, 1 in the middle; a piece whose mean is below a quarter
            is dropped.
    """
    even = cv2.medianBlur(region.astype(np.uint8), _MEDIAN)
    _, labels = cv2.connectedComponents(even)
    area = np.bincount(labels.ravel())
    likelihood = np.bincount(labels.ravel(), central.ravel()) / np.maximum(area, 1)
    likely = likelihood >= _LEAST_CENTRALITY
    likely[0] = False
    return fill_holes(likely[labels])


def best_union(
    candidates: Sequence[NDArray[np.bool_]], lab: NDArray[np.float32], view: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """The union of some candidates with the highest score; see `classical_mask`.

    Args:
        candidates: Boolean masks of shape (h, w).
        lab: CIE Lab image of shape (h, w, 3).
        view: Boolean field of view of shape (h, w).

    Returns:
        Boolean array of shape (h, w); none if every union is empty or leaves no skin.
    """
    spread = _spread(lab, view) + 1e-6
    best, best_score = None, -np.inf
    for size in range(1, len(candidates) + 1):
        for chosen in combinations(candidates, size):
            union = np.logical_or.reduce(chosen)
            outside = view & ~union
            if not union.any() or not outside.any():
                continue
            fall = 1 - float((_spread(lab, outside) / spread).mean())
            agreement = pairwise_iou(np.stack([union, *candidates]))[0, 1:].mean()
            score = fall + outside.sum() / view.sum() + agreement
            if score > best_score:
                best, best_score = union, score
    return best


def _scene(rgb: NDArray[np.uint8]) -> _Scene:
    height, width = rgb.shape[:2]
    scale = _LONG_SIDE / max(height, width)
    size = (max(_SHORTEST_SIDE, round(width * scale)), max(_SHORTEST_SIDE, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
    view = field_of_view(small)
    across = (np.arange(size[0], dtype=np.float32) + 0.5) / size[0] - 0.5
    down = ((np.arange(size[1], dtype=np.float32) + 0.5) / size[1] - 0.5)[:, None]
    rim = view & (np.maximum(abs(across), abs(down)) > _RIM)
    skin = np.median(small[rim if rim.any() else view], axis=0).astype(np.uint8)
    smooth = np.asarray(cv2.pyrMeanShiftFiltering(small, _SHIFT_RADIUS, _SHIFT_LEVELS, maxLevel=1), np.uint8)
    return _Scene(
        smooth=smooth,
        lab=_lab(smooth),
        view=view,
        skin=_lab(skin.reshape(1, 1, 3))[0, 0],
        central=np.exp(-(across**2 + down**2) / _CENTRE_SPREAD**2 / 2),
    )


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)


def _eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.erode(mask.astype(np.uint8), disc) > 0)


def _mixture(colours: NDArray[np.float64], difference: NDArray[np.float64], count: int) -> GaussianMixture:
    """A mixture that starts from equal shares of the pixels, ordered by their difference from skin.

    That start needs no random numbers, and spares the k-means that scikit-learn would begin with.
    """
    shares = np.array_split(colours[difference.argsort(kind="stable")], count)
    covariances = [np.cov(share.T) + _COLOUR_NOISE * np.eye(3) for share in shares]
    mixture = GaussianMixture(
        count,
        # The likelihood of a pixel can grow by a few units in all, so steps of a hundredth end long before this many.
        max_iter=2000,
        tol=1e-2,
        reg_covar=_COLOUR_NOISE,
        weights_init=np.full(count, 1 / count),
        means_init=np.stack([share.mean(axis=0) for share in shares]),
        precisions_init=np.linalg.inv(np.stack(covariances)),
    )
    return mixture.fit(colours)


def _spread(lab: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Standard deviation of each channel `[3]` in a part of the image."""
    _, deviations = cv2.meanStdDev(lab, mask=where.astype(np.uint8))
    return np.asarray(deviations[:, 0], np.float64)
