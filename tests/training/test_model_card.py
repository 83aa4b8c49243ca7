from __future__ import annotations

import pytest

from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Metric, Mistake
from dermoscope.training.model_card import mode_card, model_card

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
        "## What it is not for",
        "## Known limits",
        "| encoder.onnx | embedding | onnxruntime, float32 |",
        *Bundle.default().description.training_data,
    ],
)
def test_the_card_says(words: str) -> None:
    assert words in CARD


DESCRIPTION = Bundle.default().description
MISTAKE = Mistake(
    mode="best", image="ISIC_7", data="HAM10000", truth="MEL", said="NV", probability=0.91, risk=0.01, flagged=False
)


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({}, "| ISIC_7 | best | MEL | NV | 0.91 | 0.01 | **no** |"),
        ({"flagged": True}, "| ISIC_7 | best | MEL | NV | 0.91 | 0.01 | yes |"),
        ({"truth": "BKL"}, "| ISIC_7 | best | BKL | NV | 0.91 | 0.01 | no |"),
    ],
)
def test_mistakes_are_told(change: dict[str, object], row: str) -> None:
    mistakes = (MISTAKE.model_copy(update=change),)
    assert row in model_card(DESCRIPTION.model_copy(update={"mistakes": mistakes}))
    assert "surest and wrong" not in model_card(DESCRIPTION.model_copy(update={"mistakes": ()}))


def test_what_was_measured_of_a_mode_has_a_table_of_its_own() -> None:
    of_mode = METRIC.model_copy(update={"name": "mode fast: recall, MEL"})
    card = model_card(DESCRIPTION.model_copy(update={"metrics": (of_mode, METRIC)}))
    assert card.index("| Dice of") < card.index("### Mode fast") < card.index("| recall, MEL | 0.9")
    assert "### Mode best" not in card


def test_the_card_of_a_mode_is_silent_about_the_others() -> None:
    mistakes = (MISTAKE, MISTAKE.model_copy(update={"mode": "fast", "image": "ISIC_8"}))
    card = mode_card(DESCRIPTION.model_copy(update={"mistakes": mistakes}), "fast")
    assert "mode fast:" in card
    assert "mode best" not in card
    assert "ISIC_8" in card
    assert "ISIC_7" not in card


def test_licences_are_those_of_the_data_it_has_seen() -> None:
    card = model_card(DESCRIPTION.model_copy(update={"training_data": ("12 images of DTD",)}))
    assert "Licence of DTD: for research purposes only" in card
    assert "Licence of HAM10000" not in card
    assert "Licence of HAM10000, ISIC2018, ISIC2019: CC BY-NC 4.0" in CARD
    assert "Networks began as tf_efficientnet_lite0" in CARD


def test_only_without_modes_the_point_of_the_heads_flags() -> None:
    point = f"- Malignancy: {DESCRIPTION.heads.malignancy_point.meaning}"
    assert point not in CARD
    assert point in model_card(DESCRIPTION.model_copy(update={"modes": {}}))


def test_metrics_that_need_it_are_explained() -> None:
    def card(*names: str) -> str:
        metrics = tuple(METRIC.model_copy(update={"name": f"mode fast: {name}"}) for name in names)
        return model_card(DESCRIPTION.model_copy(update={"metrics": metrics}))

    odds, noise = "`AUC, MEL` ranks images by the odds", "resampling adds noise"
    two, error = card("AUC, MEL", "AUC, melanoma"), card("expected calibration error, malignancy")
    assert (odds in two, noise in two) == (True, False)
    assert (odds in error, noise in error) == (False, True)


def test_a_command_stands_once() -> None:
    assert CARD.count("    run-this") == 1


def test_the_shipped_card_is_that_of_the_shipped_description() -> None:
    bundle = Bundle.default()
    assert (bundle.folder / "README.md").read_text(encoding="utf-8") == model_card(bundle.description)
