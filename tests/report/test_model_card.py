from __future__ import annotations

from dermoscope.report.model_card import definition_text, model_card
from tests.batch.fake_analyzer import FakeBundle


def test_what_is_there_is_shown() -> None:
    card = model_card({**FakeBundle().describe(), "encoder": {"name": "https://example.org/encoder"}})
    assert dict(card.facts) == {
        "Name": "fake 1",
        "Fingerprint": "0123456789abcdef",
        "Intended use": "Tests.",
        "Licence": "CC BY-NC 4.0",
        "Image encoder": "example.org/encoder",
    }
    assert card.training_data == ("no images at all",)
    (metric,) = card.metrics
    assert (metric.name, metric.value, metric.interval, metric.n) == (
        "malignancy AUC (graz)",
        "0.851",
        "0.820 to 0.880",
        "1,509",
    )


def test_what_is_missing_is_left_out() -> None:
    card = model_card({"name": "bare"})
    assert card.facts == (("Name", "bare"),)
    assert not card.metrics
    assert not card.has_maps


def test_the_mode_that_answers_is_named_and_whether_its_networks_have_maps() -> None:
    modes = {"best": {"meaning": "every network", "networks": ["one"]}, "heads": {"meaning": "", "networks": []}}
    best, heads = (model_card({"modes": modes, "mode": name}) for name in modes)
    assert best.facts == (("Mode that answers", "best: every network"),)
    assert best.has_maps
    assert heads.facts == (("Mode that answers", "heads"),)
    assert not heads.has_maps


def test_what_is_said_of_other_modes_is_left_out() -> None:
    metric = FakeBundle().describe()["metrics"][0]
    names = ("gate", "mode best: AUC", "mode fast: AUC")
    described = {
        "modes": {"best": {}, "fast": {}},
        "training_data": ["12 images: gate", "mode best: 5 images", "mode fast: 7 images"],
        "metrics": [{**metric, "name": name} for name in names],
    }
    card = model_card({**described, "mode": "fast"})
    assert card.training_data == ("12 images: gate", "mode fast: 7 images")
    assert [one.name for one in card.metrics] == ["gate", "mode fast: AUC"]
    assert len(model_card(described).metrics) == len(names)


def test_definitions_in_words() -> None:
    assert "Melanoma" in definition_text("graz")
    assert definition_text("unheard of") == ""
