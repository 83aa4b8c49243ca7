"""A map of embeddings: images that a network finds alike lie side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style

_PRINCIPAL = 50
_RASTER_ABOVE = 1500


def sample_evenly(labels: NDArray[np.integer], most: int = 2000, *, seed: int = 0) -> NDArray[np.intp]:
    """Rows to map where there are too many: rare classes whole, the room left shared evenly by the others.

    Args:
        labels: `[N]` in 0…K-1.
        most: Rows to keep.
        seed: Of the draw.

    Returns:
        Row numbers, rising.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    random = np.random.default_rng(seed)
    members = sorted((np.flatnonzero(labels == number) for number in np.unique(labels)), key=len)
    kept, room = [], most
    for number, rows in enumerate(members):
        share = room // (len(members) - number)
        chosen = rows if len(rows) <= share else random.choice(rows, share, replace=False)
        kept.append(chosen)
        room -= len(chosen)
    return np.sort(np.concatenate(kept))


def project(features: NDArray[np.floating], *, perplexity: float = 30) -> NDArray[np.float64]:
    """Lay embeddings out in two dimensions by t-SNE, starting from their principal components.

    Distances between far points and sizes of clusters mean nothing in such a map; who neighbours whom does. A few
    thousand rows take under a minute; draw fewer with `sample_evenly`.

    Args:
        features: `[N, D]`; each column is standardised first.
        perplexity: How many neighbours count, lowered for few rows.

    Returns:
        `[N, 2]`.

    Raises:
        ValueError: If there are fewer than four rows.

    References:
        van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008, as in scikit-learn.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(features) < 4:
        raise ValueError(f"a map needs at least four rows, not {len(features)}")
    values = np.asarray(features, np.float64)
    spread = values.std(axis=0)
    values = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if values.shape[1] > _PRINCIPAL:
        values = PCA(min(_PRINCIPAL, len(values)), svd_solver="full").fit_transform(values)
    if values.shape[1] < 2:
        values = np.pad(values, ((0, 0), (0, 2 - values.shape[1])))
    neighbours = min(perplexity, (len(values) - 1) / 3)
    layout = TSNE(2, perplexity=neighbours, init="pca", random_state=0, n_jobs=1).fit_transform(values)
    return np.asarray(layout, np.float64)


def embedding_map(
    points: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    path: Path,
    *,
    total: int | None = None,
    method: str = "t-SNE",
    title: str = "",
    note: str = "",
) -> None:
    """Draw a map with a colour and a marker for each class.

    Args:
        points: `[N, 2]` from `project`.
        labels: `[N]` in 0…K-1.
        classes: `[K]` names.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        total: Images the points were drawn from, if not all are shown.
        method: How the map was made.
        title: Above the figure.
        note: Further words below it.
    """
    counts = np.bincount(labels, minlength=len(classes))
    of_all = f" of {total:,}" if total is not None and total > len(points) else ""
    words = (
        f"n = {len(points):,}{of_all} images. {method}: neighbourhoods mean something, distances between clusters and "
        "their sizes do not"
    )
    wide, high = np.maximum(np.ptp(points, axis=0), 1e-9)
    height = 4.1 * float(np.clip(high / wide, 0.6, 1.1))
    with style.page(path, 5.2, height, title=title, note=style.sentences(words, note)) as figure:
        axes = figure.subplots()
        # The largest class is drawn first, so that it does not bury the others.
        for number in np.argsort(-counts, kind="stable"):
            inside = points[labels == number]
            if len(inside):
                axes.plot(
                    *inside.T, style.MARKERS[number % len(style.MARKERS)], linestyle="none", markersize=3.2,
                    color=style.COLOURS[number % len(style.COLOURS)], alpha=0.75, markeredgecolor="white",
                    markeredgewidth=0.25, rasterized=len(points) > _RASTER_ABOVE,
                    label=f"{classes[number]}  n = {counts[number]:,}",
                )  # fmt: skip
        handles, names = axes.get_legend_handles_labels()
        in_order = sorted(range(len(names)), key=lambda place: -int(names[place].rpartition("= ")[2].replace(",", "")))
        axes.legend(
            [handles[place] for place in in_order], [names[place] for place in in_order], loc="center left",
            bbox_to_anchor=(1.0, 0.5), markerscale=1.7, handlelength=1.2,
        )  # fmt: skip
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
