"""Fits the cost model of one processor to the measured times of a few subgraphs.

time = sum over terms of (count x price), prices never negative. Relative errors are minimised, and
as absolute values rather than squares: one disturbed measurement does not bend the rest. A price is
drawn towards its typical value times the speed of the machine, an unknown of the same fit, so that
classes seen once or never are priced like the rest and few measurements suffice.

Non-negative least squares (Lawson and Hanson 1974), reweighted towards least absolute deviations.
Pure: from samples to prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from band.device.fit_classes import typical_us
from band.device.fit_terms import Terms
from band.errors import BandError, ErrorCode

MIN_SAMPLES: Final = 3
_NOISE: Final = 0.05
"""How far, relatively, measurement and model are expected to lie apart."""
_SPREAD: Final = 1.0
"""How far, relatively, a price is expected to lie from its typical value."""
_SMALL_US: Final = 20.0
"""Below this the error counts in microseconds: a clock and a dispatch are all there is to see."""
_REWEIGHTS: Final = 6
_LEAST_ERROR: Final = 0.02
_LEAST_PRICE: Final = 0.02
"""No work is free: a price is at least this share of its typical value."""

_Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured subgraph: its terms and its time in microseconds."""

    terms: Terms
    us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFit:
    """A fitted cost model.

    Attributes:
        prices: (term, microseconds per unit) for the terms of the samples, sorted.
        speed: by what factor typical prices are multiplied for other terms.
        samples: how many measurements it was fitted to.
    """

    prices: tuple[tuple[str, float], ...]
    speed: float
    samples: int

    def price_us(self, term: str) -> float:
        """Return the price of one unit of a term, always positive."""
        return dict(self.prices).get(term, self.speed * typical_us(term))

    def us(self, terms: Terms) -> float:
        """Return the predicted time of a subgraph in microseconds, positive."""
        known = dict(self.prices)
        return sum(
            count * known.get(term, self.speed * typical_us(term)) for term, count in terms.items()
        )


def fit_costs(samples: Sequence[Sample]) -> CostFit:
    """Return the cost model that explains measured subgraphs best.

    Args:
        samples: of one processor; parts of one model or of several.

    Raises:
        BandError: INVALID_REQUEST for fewer than ``MIN_SAMPLES`` samples.
    """
    if len(samples) < MIN_SAMPLES:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"a cost model needs at least {MIN_SAMPLES} measured subgraphs, and there are "
            f"{len(samples)}; profile more models or larger ones",
            samples=len(samples),
        )
    names = sorted({term for sample in samples for term in sample.terms})
    typical = np.array([typical_us(name) for name in names])
    counts = np.array([[s.terms.get(name, 0.0) for name in names] for s in samples])
    factors = _factors(counts * typical, np.array([s.us for s in samples]))
    speed = float(factors[-1])
    prices = np.maximum(factors[:-1], _LEAST_PRICE * speed) * typical
    return CostFit(
        prices=tuple(zip(names, (float(price) for price in prices), strict=True)),
        speed=speed,
        samples=len(samples),
    )


def _factors(costs: _Array, measured: _Array) -> _Array:
    """Return by what each typical price is to be multiplied, and last the speed.

    Args:
        costs: [sample][term] the time at typical prices.
        measured: [sample] the time.
    """
    from scipy.optimize import nnls  # slow to import, and only a profile needs it

    terms = costs.shape[1]
    scale = np.maximum(measured, _SMALL_US)
    # The prior: factor - speed = 0 for each term, with speed as the last unknown.
    prior = np.hstack([np.eye(terms), -np.ones((terms, 1))]) / _SPREAD
    weights = np.full(len(measured), 1 / _NOISE) / scale
    factors: _Array = np.ones(terms + 1)
    for _ in range(_REWEIGHTS):
        rows = np.hstack([costs, np.zeros((len(measured), 1))]) * weights[:, None]
        factors, _residual = nnls(
            np.vstack([rows, prior]),
            np.concatenate([measured * weights, np.zeros(terms)]),
            maxiter=100 * terms,
        )
        error = np.abs(costs @ factors[:-1] - measured) / scale
        pull = np.sqrt(np.maximum(error, _LEAST_ERROR) / _NOISE)
        weights = 1 / _NOISE / scale / pull
    return factors
