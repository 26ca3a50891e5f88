"""The cost model finds the prices that times were made of, and says when it cannot."""

import random

import pytest

from band.device.fit import MIN_SAMPLES, CostFit, Sample, fit_costs
from band.device.fit_classes import typical_us
from band.errors import BandError, ErrorCode

TRUE = {
    "dispatch": 9.0,
    "op": 0.5,
    "pointwise.float": 5e-5,
    "binary.float": 4e-4,
    "depthwise.float": 1e-4,
}


def _sample(rng: random.Random, noise: float) -> Sample:
    terms = {
        "dispatch": 1.0,
        "op": float(rng.randint(1, 60)),
        "pointwise.float": rng.uniform(0, 5e7),
        "binary.float": rng.uniform(0, 2e6),
        "depthwise.float": rng.uniform(0, 1e7),
    }
    us = sum(TRUE[name] * count for name, count in terms.items())
    return Sample(terms=terms, us=us * rng.uniform(1 - noise, 1 + noise))


def _samples(count: int, noise: float, seed: int = 0) -> list[Sample]:
    rng = random.Random(seed)
    return [_sample(rng, noise) for _ in range(count)]


def _error(fit: CostFit, samples: list[Sample]) -> float:
    return max(abs(fit.us(s.terms) / s.us - 1) for s in samples)


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_known_prices_are_found_again(noise: float) -> None:
    fit = fit_costs(_samples(40, noise))
    for name in ("pointwise.float", "binary.float", "depthwise.float"):
        assert fit.price_us(name) == pytest.approx(TRUE[name], rel=0.02 + 3 * noise)
    assert fit.samples == 40
    assert _error(fit, _samples(50, 0.0, seed=1)) < 0.02 + 3 * noise


def test_one_disturbed_measurement_bends_nothing() -> None:
    samples = _samples(40, 0.0)
    worst = samples[7]
    samples[7] = Sample(terms=worst.terms, us=5 * worst.us)
    assert _error(fit_costs(samples), _samples(50, 0.0, seed=1)) < 0.05


def test_few_samples_are_filled_up_with_typical_prices_at_the_speed_of_the_machine() -> None:
    def us(terms: dict[str, float]) -> float:
        return 3 * sum(typical_us(name) * count for name, count in terms.items())

    seen = [{"dispatch": 1.0, "op": n, "pointwise.float": n * 1e6} for n in (1.0, 4.0, 9.0)]
    fit = fit_costs([Sample(terms=terms, us=us(terms)) for terms in seen])
    assert fit.speed == pytest.approx(3, rel=0.05)
    unseen = {"dispatch": 1.0, "resize.float": 1e5, "depthwise.int8": 1e6}
    assert fit.us(unseen) == pytest.approx(us(unseen), rel=0.05)


def test_no_price_is_zero_or_below() -> None:
    terms = {"dispatch": 1.0, "op": 1.0}
    rows = [
        {**terms, "binary.float": n * 1e5, "unary.float": (3 - n) * 1e5} for n in (0.0, 1, 2, 3)
    ]
    falling = [Sample(terms=row, us=1_000.0 - 300 * i) for i, row in enumerate(rows)]
    fit = fit_costs(falling)
    assert all(price > 0 for _, price in fit.prices)
    assert fit.us({}) == 0
    assert fit.us({"dispatch": 1.0}) > 0


def test_too_few_samples_are_refused_with_what_to_do() -> None:
    with pytest.raises(BandError) as caught:
        fit_costs(_samples(MIN_SAMPLES - 1, 0.0))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.message == (
        "a cost model needs at least 3 measured subgraphs, and there are 2; profile more models "
        "or larger ones"
    )
    fit_costs(_samples(MIN_SAMPLES, 0.0))


def test_the_same_samples_give_the_same_prices() -> None:
    assert fit_costs(_samples(12, 0.1)) == fit_costs(_samples(12, 0.1))
