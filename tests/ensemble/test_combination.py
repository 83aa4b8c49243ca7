from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dermoscope.ensemble.combination import dempster_shafer, geometric_mean, mean
from dermoscope.ensemble.masses import Masses, accuracy_weighted, discounted, plain

FloatArray = NDArray[np.float64]
Rule = Callable[[FloatArray], FloatArray]


def dempster_shafer_of_probabilities(probabilities: FloatArray) -> FloatArray:
    return dempster_shafer(plain(probabilities))


RULES: list[Rule] = [dempster_shafer_of_probabilities, mean, geometric_mean]
NAN = float("nan")


def drawn(members: int, images: int = 20, classes: int = 4) -> FloatArray:
    return np.random.default_rng(0).dirichlet(np.ones(classes), (members, images))


def over_all_subsets(singletons: FloatArray, frame: FloatArray) -> list[float]:
    """Dempster's rule and the pignistic probability as the books write them, over every subset of the frame.

    Args:
        singletons: `[M, K]`.
        frame: `[M]`.
    """
    classes = singletons.shape[1]
    everything = frozenset(range(classes))
    combined: dict[frozenset[int], float] = {everything: 1.0}
    for on_classes, on_frame in zip(singletons, frame, strict=True):
        member = {frozenset({index}): float(mass) for index, mass in enumerate(on_classes)}
        member[everything] = member.get(everything, 0.0) + float(on_frame)
        met: defaultdict[frozenset[int], float] = defaultdict(float)
        for one, one_mass in combined.items():
            for other, other_mass in member.items():
                met[one & other] += one_mass * other_mass
        combined = dict(met)
    conflict = combined.pop(frozenset(), 0.0)
    return [
        sum(mass / (1 - conflict) / len(subset) for subset, mass in combined.items() if index in subset)
        for index in range(classes)
    ]


@st.composite
def masses(draw: st.DrawFn) -> Masses:
    """Of one to five members on two to five classes; a class without mass may occur where the frame has some."""
    members, classes = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    raw = np.array(
        draw(
            st.lists(
                st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.5]), min_size=classes + 1, max_size=classes + 1),
                min_size=members,
                max_size=members,
            )
        )
    )
    raw[raw[:, -1] == 0] += 0.01 * (np.arange(classes + 1) < classes)  # else zero counts as 1e-12, which no book says
    raw /= raw.sum(axis=1, keepdims=True)
    return Masses(raw[:, None, :-1], raw[:, None, -1])


@given(masses())
@settings(max_examples=200, deadline=None)
def test_the_closed_form_is_the_sum_over_all_subsets(given_masses: Masses) -> None:
    found = dempster_shafer(given_masses)[0]
    expected = over_all_subsets(given_masses.singletons[:, 0], given_masses.frame[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("members", [1, 2, 4])
def test_discounted_members_over_all_subsets(members: int) -> None:
    belief = discounted(drawn(members), [0.9, 0.6, 1.0, 0.0][:members])
    expected = [over_all_subsets(belief.singletons[:, image], belief.frame[:, image]) for image in range(20)]
    np.testing.assert_allclose(dempster_shafer(belief), expected, rtol=1e-10)


def test_dempster_shafer_by_hand() -> None:
    given_probabilities = np.array([[[0.6, 0.3, 0.1]], [[0.2, 0.7, 0.1]]])
    np.testing.assert_allclose(
        dempster_shafer(plain(given_probabilities)), [[0.12 / 0.34, 0.21 / 0.34, 0.01 / 0.34]], rtol=1e-12
    )


def test_a_frame_mass_by_hand() -> None:
    """Discounted by one half each, 0.6 and 0.4 against 0.2 and 0.8; conflict 0.3 × 0.4 + 0.2 × 0.1 = 0.14."""
    belief = discounted(np.array([[[0.6, 0.4]], [[0.2, 0.8]]]), [0.5, 0.5])
    first = 0.3 * 0.1 + 0.3 * 0.5 + 0.5 * 0.1
    second = 0.2 * 0.4 + 0.2 * 0.5 + 0.5 * 0.4
    expected = [(first + 0.25 / 2) / 0.86, (second + 0.25 / 2) / 0.86]
    np.testing.assert_allclose(dempster_shafer(belief), [expected], rtol=1e-12)


def test_zadeh_s_example() -> None:
    """Both think the third class all but impossible, and each rules out what the other believes: the third wins."""
    found = dempster_shafer(plain(np.array([[[0.99, 0.0, 0.01]], [[0.0, 0.99, 0.01]]])))
    np.testing.assert_allclose(found, [[0, 0, 1]], atol=1e-6)


def test_members_that_may_err_do_not_walk_into_zadeh_s_example() -> None:
    found = dempster_shafer(discounted(np.array([[[0.99, 0.0, 0.01]], [[0.0, 0.99, 0.01]]]), [0.9, 0.9]))
    assert found[0, 0] == pytest.approx(found[0, 1])
    assert found[0, 2] < 0.1


def test_members_who_say_nothing_leave_even_odds() -> None:
    np.testing.assert_allclose(dempster_shafer(discounted(drawn(3), [0.0, 0.0, 0.0])), 0.25)


def test_accuracy_weighted_members_by_hand() -> None:
    """With w = 0.5 nothing changes, with w = 2/3 the score 0.6 becomes 0.5 + √3/10."""
    belief = accuracy_weighted(np.array([[[0.3, 0.7]], [[0.4, 0.6]]]), [0.5, 2 / 3])
    sure = 0.5 + math.sqrt(3) / 10
    expected = 0.7 * sure / (0.7 * sure + 0.3 * (1 - sure))
    np.testing.assert_allclose(dempster_shafer(belief), [[1 - expected, expected]], rtol=1e-12)


def test_mean_by_hand() -> None:
    found = mean(np.array([[[0.6, 0.3, 0.1]], [[0.2, 0.7, 0.1]]]))
    np.testing.assert_allclose(found, [[0.4, 0.5, 0.1]], rtol=1e-12)


def test_geometric_mean_by_hand() -> None:
    found = geometric_mean(np.array([[[0.6, 0.3, 0.1]], [[0.2, 0.7, 0.1]]]))
    roots = [math.sqrt(0.12), math.sqrt(0.21), 0.1]
    np.testing.assert_allclose(found, [[root / sum(roots) for root in roots]], rtol=1e-12)


def test_agreement_makes_dempster_shafer_surer_and_leaves_the_means_alone() -> None:
    twice = np.array([[[0.8, 0.2]], [[0.8, 0.2]]])
    np.testing.assert_allclose(dempster_shafer(plain(twice)), [[0.64 / 0.68, 0.04 / 0.68]])
    np.testing.assert_allclose(mean(twice), twice[0])
    np.testing.assert_allclose(geometric_mean(twice), twice[0])


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_members_does_not_matter(rule: Rule) -> None:
    probabilities = drawn(5)
    np.testing.assert_allclose(rule(probabilities), rule(probabilities[[3, 0, 4, 2, 1]]), rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_one_member_alone_is_taken_at_its_word(rule: Rule) -> None:
    probabilities = drawn(1)
    np.testing.assert_allclose(rule(probabilities), probabilities[0], rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_one_sure_member_alone_stays_sure(rule: Rule) -> None:
    np.testing.assert_allclose(rule(np.array([[[1.0, 0.0, 0.0]]])), [[1, 0, 0]], atol=1e-11)


@pytest.mark.parametrize("rule", RULES)
def test_a_class_that_all_are_sure_of_keeps_everything(rule: Rule) -> None:
    sure = np.tile([[1.0, 0.0, 0.0]], (7, 2, 1))
    np.testing.assert_allclose(rule(sure), [[1, 0, 0], [1, 0, 0]], atol=1e-11)


def test_a_class_ruled_out_once_stays_out() -> None:
    found = dempster_shafer(plain(np.array([[[0.0, 0.5, 0.5]], [[0.9, 0.06, 0.04]]])))
    np.testing.assert_allclose(found, [[0, 0.6, 0.4]], atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_in_total_conflict_the_two_sides_share(rule: Rule) -> None:
    found = rule(np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]]))
    np.testing.assert_allclose(found, [[0.5, 0.5, 0]], atol=2e-6)


def test_in_total_conflict_the_class_that_fewest_rule_out_wins() -> None:
    found = dempster_shafer(plain(np.array([[[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]])))
    np.testing.assert_allclose(found, [[1, 0, 0]], atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_a_thousand_members_do_not_underflow(rule: Rule) -> None:
    probabilities = np.tile([[0.1, 0.1, 0.8], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]], (1000, 1, 1))
    found = rule(probabilities)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.argmax(axis=1).tolist()[:2] == [2, 2]
    assert found[2, 0] == pytest.approx(found[2, 1])


def test_a_thousand_members_who_hardly_say_anything_add_up() -> None:
    """Each of them grants the first class 0.006 and the second 0.004: one thousand of them are sure of the first."""
    found = dempster_shafer(discounted(np.full((1000, 1, 2), [0.6, 0.4]), [0.01] * 1000))
    odds = (0.996**1000 - 0.99**1000 / 2) / (0.994**1000 - 0.99**1000 / 2)
    np.testing.assert_allclose(found[0, 0] / found[0, 1], odds, rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_missing_probabilities_are_refused(rule: Rule) -> None:
    probabilities = drawn(3)
    probabilities[1, 4] = NAN
    with pytest.raises(ValueError, match=r"probabilities\[1, 4\] are \[nan"):
        rule(probabilities)


@pytest.mark.parametrize("rule", RULES)
def test_axes_between_members_and_classes_are_kept(rule: Rule) -> None:
    probabilities = drawn(3, images=12)
    found = rule(probabilities.reshape(3, 2, 6, 4))
    np.testing.assert_allclose(found, rule(probabilities).reshape(2, 6, 4), rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_single_precision_is_widened_and_no_images_give_none(rule: Rule) -> None:
    found = rule(drawn(3).astype(np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, rule(drawn(3)), rtol=1e-5)
    assert rule(np.ones((3, 0, 4))).shape == (0, 4)
