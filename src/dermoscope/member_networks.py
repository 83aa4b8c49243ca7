"""Exported networks with class activation maps, compiled: what they see of an image and what they say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.camnet.lesion_views import (
    WHOLE_IMAGE,
    CleanedImage,
    Cleaning,
    CropRules,
    LesionViews,
    View,
    clean,
    cut_views,
)
from dermoscope.camnet.second_look import LookRules, SecondLook, second_look
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import EngineName, NamedGraph, Precision, compile_graph
from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.images.lesion_crops import Box
from dermoscope.network_parts import MemberPart

INPUT, OUTPUTS = "image", ("logits", "cams", "feature")
"""Names in the graph of a network."""

_FOUND = ("logits", "maps", "features")
"""The same in `SeenViews`."""

_ORIENTATIONS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))
"""Axes of a square that are mirrored; a network that sees it n ways round sees the first n."""

_HALF = 127


@dataclass(frozen=True, eq=False)
class SeenViews:
    """What one network says of the C views of one image.

    Attributes:
        views: The views.
        logits: `[C, K]`.
        maps: Class activation maps `[C, K, h, w]`.
        features: `[C, F]`, the pooled maps.
    """

    views: LesionViews
    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """`[C, K]`, softmax of the logits."""
        return calibrated_probabilities(self.logits, 1.0, np.zeros(self.logits.shape[-1]))

    def only(self, view: int) -> SeenViews:
        """What is said of one of the views, by its place from 0."""
        squares, masks, boxes = self.views
        one = slice(view, view + 1)
        views = LesionViews(squares[one], masks[one], boxes[one])
        return SeenViews(views, self.logits[one], self.maps[one], self.features[one])

    def look_again(self, rules: LookRules, view: int = 0) -> SecondLook:
        """Where to look again, by the map of the class that the network decides for on one of its views.

        Args:
            rules: How the square is found.
            view: The view's place, from 0.
        """
        decided = self.maps[view, int(self.logits[view].argmax())]
        return second_look(decided, self.views.boxes[view], rules, mask=self.views.masks[view] > _HALF)


class MemberNetworks:
    """The networks of a model, each graph compiled once. Safe to use from several threads.

    Args:
        folder: Where the graphs lie.
        members: Whose graphs are wanted.
        engine: `openvino` or `onnxruntime`; by default the first one installed.
        precision: `auto` uses bfloat16 where the CPU has it; `float32` never does.
        threads: Threads for one image; 0 leaves it to the engine.
        streams: How many images may be computed at once.

    Raises:
        EngineError: If no engine can run a graph.
    """

    def __init__(
        self,
        folder: Path,
        members: Iterable[MemberPart],
        *,
        engine: EngineName | None,
        precision: Precision,
        threads: int,
        streams: int,
    ) -> None:
        self._graphs: dict[str, NamedGraph] = {
            graph: compile_graph(folder / graph, engine=engine, precision=precision, threads=threads, streams=streams)
            for graph in sorted({member.graph for member in members})
        }

    def on(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NetworksOnImage:
        """The networks in front of one image.

        Args:
            rgb: `[H, W, 3]`, 8-bit.
            mask: `[H, W]`, true on the lesion; none where there is none.
        """
        return NetworksOnImage(self._graphs, rgb, mask)


class NetworksOnImage:
    """Networks in front of one image; those that want the same squares share them."""

    def __init__(self, graphs: dict[str, NamedGraph], rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> None:
        self._graphs, self._rgb, self._mask = graphs, rgb, mask
        self._cleaned: dict[Cleaning, CleanedImage] = {}
        self._views: dict[tuple[Cleaning, CropRules, int, Box | None], LesionViews] = {}

    def see(self, member: MemberPart, look: Box | None = None) -> SeenViews:
        """Show a network its views of the image.

        Args:
            member: The network.
            look: What the view `look` shows, in pixels of the image; by default what the network's own map says, if it
                is told to follow that.
        """
        if member.look is not None and look is None:
            return self._see_twice(member, member.look)
        cleaning, rules, side = member.cleaning, member.crops, member.side
        if cleaning not in self._cleaned:
            self._cleaned[cleaning] = clean(self._rgb, self._mask, cleaning)
        key = cleaning, rules, side, look
        if key not in self._views:
            self._views[key] = cut_views(self._cleaned[cleaning], rules, side, look=look)
        views, graph = self._views[key], self._graphs[member.graph]
        found = [_answer(graph, square, member) for square in views.squares]
        return SeenViews(views, *(np.concatenate([one[name] for one in found]) for name in OUTPUTS))

    def _see_twice(self, member: MemberPart, rules: LookRules) -> SeenViews:
        """All views but the last, and the last where the map of the first whole one says."""
        *before, last = member.crops.names
        first = self.see(_with_views(member, before))
        whole = next(place for place, name in enumerate(before) if name in WHOLE_IMAGE)
        box = first.look_again(rules, whole).box
        # Often there is nothing to cut off, and the same square need not be seen twice.
        seen_before = box == first.views.boxes[whole]
        again = first.only(whole) if seen_before else self.see(_with_views(member, [last]), box)
        views = LesionViews(
            np.concatenate([first.views.squares, again.views.squares]),
            np.concatenate([first.views.masks, again.views.masks]),
            (*first.views.boxes, *again.views.boxes),
        )
        return SeenViews(views, *(np.concatenate([getattr(one, name) for one in (first, again)]) for name in _FOUND))


def _with_views(member: MemberPart, names: Sequence[View]) -> MemberPart:
    """The network with some of its views, told by nobody where to look."""
    crops = member.crops.model_copy(update={"names": tuple(names)})
    return member.model_copy(update={"crops": crops, "look": None})


def _answer(graph: NamedGraph, square: NDArray[np.uint8], member: MemberPart) -> dict[str, NDArray[np.float32]]:
    """The outputs for one square, the mean of all the ways round that the network sees it; maps as the square lies."""
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in OUTPUTS}
    for axes in _ORIENTATIONS[: member.orientations]:
        turned = np.ascontiguousarray(np.flip(square, axes))
        answer = graph({INPUT: prepare(turned, member.input).image})
        answer["cams"] = np.flip(answer["cams"], tuple(axis + 2 for axis in axes))
        for name in OUTPUTS:
            found[name].append(answer[name])
    return {name: np.mean(said, axis=0, dtype=np.float32) for name, said in found.items()}
