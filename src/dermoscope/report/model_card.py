"""What the report says about the model: the parts of a bundle's description that a reader of results needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dermoscope import taxonomy
from dermoscope.bundle_parts import is_of_another_mode


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric of the bundle, as the page shows it."""

    name: str
    value: str
    interval: str
    n: str
    data: str


@dataclass(frozen=True)
class ModelCard:
    """The excerpt.

    Attributes:
        facts: Label and text, in the order they are shown.
        training_data: Which images made the weights.
        metrics: What was measured.
        has_maps: Whether networks with class activation maps answer, which are then the evidence.
    """

    facts: tuple[tuple[str, str], ...]
    training_data: tuple[str, ...]
    metrics: tuple[MeasuredMetric, ...]
    has_maps: bool


def model_card(bundle: Mapping[str, Any]) -> ModelCard:
    """The excerpt of a bundle's `describe()`, without what is said of modes that do not answer.

    What a description leaves out, the page leaves out too.
    """
    modes, mode = bundle.get("modes", {}), str(bundle.get("mode", ""))

    def is_meant(text: str) -> bool:
        return not mode or not is_of_another_mode(text, modes, mode)

    return ModelCard(
        facts=tuple(_facts(bundle)),
        training_data=tuple(_plain(str(text)) for text in bundle.get("training_data", ()) if is_meant(str(text))),
        metrics=tuple(_metric(one) for one in bundle.get("metrics", ()) if is_meant(str(one["name"]))),
        has_maps=bool(_mode(bundle).get("networks")),
    )


def definition_text(name: str) -> str:
    """A malignancy definition in one sentence; empty for a name that the taxonomy does not know."""
    definition = taxonomy.MALIGNANCY_DEFINITIONS.get(name)
    return definition.description if definition else ""


def _facts(bundle: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    encoder = bundle.get("encoder", {})
    for label, text in (
        ("Name", " ".join(str(bundle[key]) for key in ("name", "version") if key in bundle)),
        ("Fingerprint", bundle.get("fingerprint", "")),
        ("Created", bundle.get("created", "")),
        ("Intended use", bundle.get("intended_use", "")),
        ("Licence", bundle.get("licence", "")),
        ("Image encoder", encoder.get("name", "")),
        ("Mode that answers", ": ".join(text for text in (bundle.get("mode"), _mode(bundle).get("meaning")) if text)),
    ):
        if text:
            yield label, _plain(str(text))


def _mode(bundle: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = bundle.get("modes", {}).get(bundle.get("mode"), {})
    return found


def _metric(metric: Mapping[str, Any]) -> MeasuredMetric:
    return MeasuredMetric(
        name=str(metric["name"]),
        value=f"{metric['value']:.3f}",
        interval=f"{metric['low']:.3f} to {metric['high']:.3f}",
        n=f"{metric['n']:,}",
        data=_plain(str(metric["data"])),
    )


def _plain(text: str) -> str:
    """Addresses without their scheme: the page is offline, and nothing on it leads out."""
    return text.replace("https://", "").replace("http://", "")
