"""The loss is the sum of what the recipe weighs, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dermoscope.camnet.feature_memory import FeatureMemory
from dermoscope.camnet.network import CAMAnswer
from dermoscope.losses.cam_divergence import cam_divergence
from dermoscope.losses.class_centre import centre_loss
from dermoscope.losses.lesion_focus import lesion_focus_loss
from dermoscope.losses.mask_cross_entropy import mask_cross_entropy
from dermoscope.losses.penalised_cam_divergence import penalised_cam_divergence
from dermoscope.training.cam_objective import CAMObjective
from dermoscope.training.recipes.cams import CAMLossPart

CLASSES, COUNTS = ("benign", "malignant"), (30, 10)


@pytest.fixture
def batch() -> tuple[CAMAnswer, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    answer = CAMAnswer(torch.randn(4, 2), torch.randn(4, 2, 5, 5), torch.randn(4, 8), torch.randn(4, 5, 5))
    return answer, torch.tensor([0, 1, 1, 0]), torch.rand(4, 5, 5)


def memory() -> FeatureMemory:
    kept = FeatureMemory(torch.tensor([0, 0, 1, 1]), 2, 8)
    kept.remember(torch.arange(4), torch.randn(4, 8))
    kept.update()
    return kept


def test_every_term_by_its_weight(batch: tuple[CAMAnswer, torch.Tensor, torch.Tensor]) -> None:
    answer, labels, masks = batch
    part = CAMLossPart.model_validate(
        {"centre": {"weight": 1.0}, "divergence": {"weight": 0.1}, "lesion_focus": 0.5, "mask_head": 2.0}
    )
    kept = memory()
    terms = CAMObjective(part, CLASSES, COUNTS)(answer, labels, masks, kept)
    assert answer.masks is not None
    expected = {
        "classification": F.cross_entropy(answer.logits, labels),
        "centre": centre_loss(answer.features, labels, kept.centres),
        "divergence": cam_divergence(answer.cams),
        "lesion focus": lesion_focus_loss(answer.cams, masks),
        "mask": mask_cross_entropy(answer.masks, masks),
    }
    assert list(terms.values) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms.values[name], value)
    weighed = [1.0, 1.0, 0.1, 0.5, 2.0]
    total = sum(w * float(v) for w, v in zip(weighed, expected.values(), strict=True))
    assert float(terms.total) == pytest.approx(total, rel=1e-5)


def test_without_weights_it_is_the_classification_alone(batch: tuple[CAMAnswer, torch.Tensor, torch.Tensor]) -> None:
    answer, labels, masks = batch
    terms = CAMObjective(CAMLossPart(), CLASSES, COUNTS)(answer._replace(masks=None), labels, masks, None)
    assert list(terms.values) == ["classification"]
    assert float(terms.total) == pytest.approx(float(F.cross_entropy(answer.logits, labels)))


def test_a_penalty_takes_the_other_divergence(batch: tuple[CAMAnswer, torch.Tensor, torch.Tensor]) -> None:
    answer, labels, masks = batch
    part = CAMLossPart.model_validate({"divergence": {"weight": 1.0, "penalty": 10.0, "per": "sum", "temperature": 2}})
    terms = CAMObjective(part, CLASSES, COUNTS)(answer._replace(masks=None), labels, masks, None)
    expected = penalised_cam_divergence(answer.cams, 10.0, "sum", temperature=2.0)
    torch.testing.assert_close(terms.values["divergence"], expected)


def test_samples_of_a_class_without_a_centre_have_no_distance(
    batch: tuple[CAMAnswer, torch.Tensor, torch.Tensor],
) -> None:
    answer, labels, masks = batch
    objective = CAMObjective(CAMLossPart.model_validate({"centre": {"weight": 1.0}}), CLASSES, COUNTS)
    kept = FeatureMemory(torch.tensor([0, 1]), 2, 8)
    without = objective(answer._replace(masks=None), labels, masks, kept)
    assert float(without.values["centre"]) == 0
    kept.remember(torch.tensor([0]), torch.ones(1, 8))
    kept.update()
    terms = objective(answer._replace(masks=None), labels, masks, kept)
    first = labels == 0
    torch.testing.assert_close(
        terms.values["centre"], centre_loss(answer.features[first], labels[first], torch.ones(2, 8))
    )


def test_focal_with_class_weights(batch: tuple[CAMAnswer, torch.Tensor, torch.Tensor]) -> None:
    answer, labels, _ = batch
    plain = CAMObjective(CAMLossPart(), CLASSES, COUNTS).classification(answer.logits, labels)
    part = CAMLossPart(gamma=2.0, class_weights="inverse-frequency")
    focal = CAMObjective(part, CLASSES, COUNTS).classification(answer.logits, labels)
    assert float(focal) != pytest.approx(float(plain))
    smooth = CAMObjective(CAMLossPart(label_smoothing=0.2), CLASSES, COUNTS).classification(answer.logits, labels)
    assert float(smooth) == pytest.approx(float(F.cross_entropy(answer.logits, labels, label_smoothing=0.2)))
    with pytest.raises(ValueError, match="label_smoothing"):
        CAMLossPart(gamma=2.0, label_smoothing=0.1)
