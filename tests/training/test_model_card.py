from __future__ import annotations

import pytest

from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Metric
from dermoscope.training.model_card import model_card

METRIC = Metric(
    name="Dice of the automatic mask", value=0.9, low=0.88, high=0.92, n=1234, data="test images", command="run-this"
)
CARD = model_card(Bundle.default().description.model_copy(update={"metrics": (METRIC, METRIC)}))


@pytest.mark.parametrize(
    "words",
    [
        "**Research use only. Not a medical device.**",
        "| Dice of the automatic mask | 0.9 (0.88 to 0.92) | 1,234 | test images |",
        "HAM10000",
        "`graz`",
        "CC BY-NC 4.0",
        "melanocytic",
        "## Known limits",
        "| encoder.onnx | embedding | onnxruntime, float32 |",
        *Bundle.default().description.training_data,
    ],
)
def test_the_card_says(words: str) -> None:
    assert words in CARD


def test_a_command_stands_once() -> None:
    assert CARD.count("    run-this") == 1


def test_the_shipped_card_is_that_of_the_shipped_description() -> None:
    bundle = Bundle.default()
    assert (bundle.folder / "README.md").read_text(encoding="utf-8") == model_card(bundle.description)
