from __future__ import annotations

import pytest
from pydantic import ValidationError

from dermoscope.training.recipes.augmentation import NO_AUGMENTATION, AugmentationPart

ASKED_FOR = {"constancy", "rand_augment"}


def test_every_change_has_a_probability_and_can_be_turned_off() -> None:
    for name in AugmentationPart.model_fields:
        assert (getattr(AugmentationPart(), name).probability > 0) == (name not in ASKED_FOR)
        assert getattr(NO_AUGMENTATION, name).probability == 0


def test_it_reads_what_it_writes() -> None:
    part = AugmentationPart.model_validate({"zoom": {"scale": [0.5, 2.0]}, "hair": {"probability": 0}})
    assert part.zoom.scale == (0.5, 2.0)
    assert AugmentationPart.model_validate_json(part.model_dump_json()) == part


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zoom": {"scale": [2.0, 0.5]}}, "the smaller end comes first"),
        ({"zoom": {"scale": [0.0, 1.0]}}, "greater than 0"),
        ({"zoom": {"least_lesion": 0.0}}, "greater than 0"),
        ({"zoom": {"rotation": 200.0}}, "less than or equal to 180"),
        ({"jpeg": {"quality": [0, 90]}}, "greater than or equal to 1"),
        ({"jpeg": {"quality": [90, 30]}}, "the smaller end comes first"),
        ({"hair": {"probability": 1.5}}, "less than or equal to 1"),
        ({"hair": {"most": 0}}, "greater than 0"),
        ({"colour": {"brightness": -0.1}}, "greater than or equal to 0"),
        ({"rand_augment": {"magnitude": 11}}, "less than or equal to 10"),
        ({"constancy": {"power": 0.5}}, "greater than or equal to 1"),
        ({"snow": {"probability": 1.0}}, "Extra inputs are not permitted"),
    ],
)
def test_settings_have_ranges(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AugmentationPart.model_validate(settings)
