"""Whether probabilities mean what they say: reliability, calibration error, Brier score, temperature. Torch-free.

Everything here speaks of events: `happened` says whether each one did, and `probability` what was promised. A binary
head is such a pair as it stands; several classes become one through `top_label`, where the event is that the answer
was right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.proportions import wilson_interval
from dermoscope.heads.calibration import calibrated_probabilities

Binning = Literal["equal-width", "equal-mass"]

_SMALLEST_PROBABILITY = 1e-12
_WIDEST_LOG_TEMPERATURE = 4.0


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose probability fell into one bin.

    Attributes:
        lower: Lowest probability the bin takes.
        upper: Where the next bin begins.
        n: Images.
        promised: Their mean probability.
        observed: The share of them where it happened.
        low: Lower end of the 95 % Wilson interval of `observed`.
        high: Its upper end.
    """

    lower: float
    upper: float
    n: int
    promised: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class BrierDecomposition:
    """What the Brier score is made of: `reliability - resolution + uncertainty + within_bins`.

    Attributes:
        brier: The score itself, 0 to 1, lower is better.
        reliability: How far promises lie from what was observed; zero is perfect calibration.
        resolution: How far the bins differ from the overall frequency; higher is better.
        uncertainty: Variance of the event itself, which no forecast can change.
        within_bins: What is lost by treating the forecasts of one bin as equal; zero if they are.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


class BinnedPromises:
    """Probabilities put into bins once, for the calibration error under many weightings.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        bins: Number of bins.
        binning: As for `reliability`.

    Raises:
        ValueError: If there are no rows, the lengths differ, or a probability is outside 0 to 1.
    """

    def __init__(
        self,
        happened: NDArray[np.bool_],
        probability: NDArray[np.floating],
        bins: int = 15,
        *,
        binning: Binning = "equal-width",
    ) -> None:
        edges, self._bin = _bins(happened, probability, bins, binning)
        self._bins = len(edges) - 1
        self._gap = np.asarray(probability, np.float64) - happened

    def error(self, weights: NDArray[np.integer] | None = None) -> float:
        """The expected calibration error, see there.

        Args:
            weights: `[N]` how often each row counts, as in a bootstrap resample.
        """
        mass = len(self._gap) if weights is None else weights.sum()
        gaps = np.bincount(self._bin, self._gap if weights is None else self._gap * weights, minlength=self._bins)
        return float(np.abs(gaps).sum() / mass)

    @property
    def gaps(self) -> list[NDArray[np.float64]]:
        """Promise minus event in each bin, zero elsewhere, each `[N]`.

        The sizes of their sums over the rows, added up and divided by the number of rows, are the error.
        """
        return [np.where(self._bin == number, self._gap, 0.0) for number in range(self._bins)]


def top_label(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Several classes as one event: was the most probable class right, and how probable was it?

    Args:
        labels: `[N]` in 0…K-1.
        probabilities: `[N, K]`.

    Returns:
        `[N]` whether the answer was right, a tie for the first place being wrong as in the ISIC scorer, and `[N]` the
        largest probability.
    """
    return decided_class(probabilities) == labels, np.asarray(probabilities.max(axis=1), np.float64)


def reliability(
    happened: NDArray[np.bool_],
    probability: NDArray[np.floating],
    bins: int = 15,
    *,
    binning: Binning = "equal-width",
) -> tuple[ReliabilityBin, ...]:
    """The points of a reliability diagram, from the lowest probabilities to the highest; empty bins are left out.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        bins: Number of bins.
        binning: `equal-width` cuts the axis evenly; `equal-mass` gives every bin as many images as ties allow, so that
            rare classes, whose probabilities crowd near zero, are looked at closely.

    Raises:
        ValueError: If there are no rows, the lengths differ, or a probability is outside 0 to 1.
    """
    edges, which = _bins(happened, probability, bins, binning)
    found = []
    for number in np.unique(which):
        inside = which == number
        n, observed = int(inside.sum()), float(happened[inside].mean())
        low, high = wilson_interval(observed, n)
        promised = float(probability[inside].mean(dtype=np.float64))
        found.append(ReliabilityBin(float(edges[number]), float(edges[number + 1]), n, promised, observed, low, high))
    return tuple(found)


def expected_calibration_error(
    happened: NDArray[np.bool_],
    probability: NDArray[np.floating],
    bins: int = 15,
    *,
    binning: Binning = "equal-width",
    weights: NDArray[np.integer] | None = None,
) -> float:
    """Mean distance of promise and observation over the bins, weighted by their images; 0 to 1, lower is better.

    It depends on the bins, and small samples push it up: compare only numbers with the same bins and similar n.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        bins: Number of bins.
        binning: As for `reliability`.
        weights: `[N]` how often each row counts, as in a bootstrap resample.

    Raises:
        ValueError: If there are no rows, the lengths differ, or a probability is outside 0 to 1.

    References:
        Naeini, Cooper and Hauskrecht, AAAI 2015 (equal width here as in Guo et al., ICML 2017); Nguyen and O'Connor,
        EMNLP 2015 (equal mass).
    """
    return BinnedPromises(happened, probability, bins, binning=binning).error(weights)


def brier(
    happened: NDArray[np.bool_], probability: NDArray[np.floating], weights: NDArray[np.integer] | None = None
) -> float:
    """Mean squared distance of probability and event; 0 to 1, lower is better.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        weights: `[N]` how often each row counts.

    References:
        Brier, Verification of forecasts expressed in terms of probability, 1950, in its form for one event.
    """
    return weighted_mean(np.square(np.asarray(probability, np.float64) - happened), weights)


def multiclass_brier(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], weights: NDArray[np.integer] | None = None
) -> float:
    """The Brier score over all classes as its author wrote it; 0 to 2, for two classes twice that of `brier`.

    Args:
        labels: `[N]` in 0…K-1.
        probabilities: `[N, K]`.
        weights: `[N]` how often each row counts.
    """
    return weighted_mean(multiclass_squares(labels, probabilities), weights)


def multiclass_squares(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """What `multiclass_brier` is the mean of, `[N]`.

    Args:
        labels: `[N]` in 0…K-1.
        probabilities: `[N, K]`.
    """
    squares: NDArray[np.float64] = np.square(probabilities - np.eye(probabilities.shape[1])[labels]).sum(axis=1)
    return squares


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.integer] | None = None) -> float:
    """Mean of values, some counting more than once; without BLAS, whose threads cost more than they save here.

    Args:
        values: `[N]`.
        weights: `[N]` how often each counts.
    """
    return float(values.mean() if weights is None else (values * weights).sum() / weights.sum())


def brier_decomposition(
    happened: NDArray[np.bool_],
    probability: NDArray[np.floating],
    bins: int = 15,
    *,
    binning: Binning = "equal-width",
) -> BrierDecomposition:
    """Split the Brier score into calibration, sharpness and what lies in the data.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        bins: Number of bins.
        binning: As for `reliability`.

    Raises:
        ValueError: If there are no rows, the lengths differ, or a probability is outside 0 to 1.

    References:
        Murphy, A new vector partition of the probability score, 1973; the part within bins: Stephenson, Coelho and
        Jolliffe, Two extra components in the Brier score decomposition, 2008.
    """
    found = reliability(happened, probability, bins, binning=binning)
    base = float(happened.mean())
    n = np.array([each.n for each in found]) / len(happened)
    promised, observed = np.array([(each.promised, each.observed) for each in found]).T
    score = brier(happened, probability)
    calibration = float(n @ np.square(promised - observed))
    resolution = float(n @ np.square(observed - base))
    uncertainty = base * (1 - base)
    return BrierDecomposition(
        score, calibration, resolution, uncertainty, score - calibration + resolution - uncertainty
    )


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities as logits that softmax turns back into them.

    Args:
        probabilities: `[N, K]`, each row summing to one; zero counts as 1e-12.
    """
    return np.log(np.clip(np.asarray(probabilities, np.float64), _SMALLEST_PROBABILITY, None))


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The one temperature that makes held-out labels most likely; above one, the classifier was too sure.

    It moves no arg-max, so accuracy stays. Where the frequencies of the classes are wrong as well, `fit_calibration` of
    `dermoscope.heads.calibration` also fits a bias.

    Args:
        logits: `[N, K]` on validation images, never on test images; for probabilities pass `log_probabilities` of them.
        labels: `[N]` in 0…K-1.

    Returns:
        A temperature between 0.02 and 55, for `with_temperature`.

    Raises:
        ValueError: If there are no rows.

    References:
        Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
    """
    from scipy.optimize import minimize_scalar

    if not len(labels):
        raise ValueError("no rows to fit a temperature on")
    rows, no_bias = np.arange(len(labels)), np.zeros(logits.shape[1])

    def negative_log_likelihood(log_temperature: float) -> float:
        probabilities = calibrated_probabilities(logits, float(np.exp(log_temperature)), no_bias)
        return -float(np.log(np.clip(probabilities[rows, labels], 1e-300, None)).mean())

    bounds = (-_WIDEST_LOG_TEMPERATURE, _WIDEST_LOG_TEMPERATURE)
    found = minimize_scalar(negative_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def with_temperature(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Softmax of the logits divided by a temperature.

    Args:
        logits: `[N, K]`; for probabilities pass `log_probabilities` of them.
        temperature: Positive, from `fit_temperature`.
    """
    return calibrated_probabilities(logits, temperature, np.zeros(logits.shape[-1]))


def _bins(
    happened: NDArray[np.bool_], probability: NDArray[np.floating], bins: int, binning: Binning
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The edges of the bins, one more than there are bins, and the bin of each row."""
    if not len(happened) or len(happened) != len(probability):
        raise ValueError(f"need as many events as probabilities, and at least one: {len(happened)}, {len(probability)}")
    if not (probability.min() >= 0 and probability.max() <= 1):
        raise ValueError("probabilities must lie between 0 and 1")
    edges = np.linspace(0, 1, bins + 1)
    if binning == "equal-mass":
        edges = np.unique(np.quantile(probability, edges))
        # Where all probabilities are one, so is their only bin.
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    inner = np.searchsorted(edges, probability, side="right") - 1
    return edges, np.minimum(inner, len(edges) - 2)
