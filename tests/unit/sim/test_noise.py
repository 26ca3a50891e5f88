"""Noise models: their moments, and one stream of draws for a seed."""

from dataclasses import replace
from random import Random
from statistics import fmean, median, pstdev

import pytest

from band.device.dynamics import Empirical, Gamma, LogNormal, Noise, Spikes
from band.sim.noise import draw, noise_of
from band.testing.devices import make_device, make_processor

COUNT = 20_000


def factors(noise: Noise) -> list[float]:
    random = Random(1)
    return [draw(noise, random) for _ in range(COUNT)]


def test_log_normal_noise_keeps_the_median() -> None:
    drawn = factors(LogNormal(sigma=0.3))
    assert median(drawn) == pytest.approx(1.0, rel=0.01)
    assert fmean(drawn) == pytest.approx(1.046, rel=0.01)  # exp(0.3 ** 2 / 2)


def test_gamma_noise_has_mean_one_and_its_coefficient_of_variation() -> None:
    drawn = factors(Gamma(cv=0.4))
    assert fmean(drawn) == pytest.approx(1.0, rel=0.01)
    assert pstdev(drawn) == pytest.approx(0.4, rel=0.02)
    assert min(drawn) > 0


def test_empirical_noise_draws_each_factor_as_often() -> None:
    drawn = factors(Empirical(factors=(0.5, 1.0, 4.0)))
    for factor in (0.5, 1.0, 4.0):
        assert drawn.count(factor) == pytest.approx(COUNT / 3, rel=0.05)
    assert set(drawn) == {0.5, 1.0, 4.0}


def test_spikes_come_with_their_probability() -> None:
    drawn = factors(Spikes(probability=0.05, factor=10.0))
    assert drawn.count(10.0) == pytest.approx(COUNT * 0.05, rel=0.1)
    assert set(drawn) == {1.0, 10.0}
    noisy = factors(Spikes(probability=0.05, factor=10.0, sigma=0.1))
    assert sum(factor > 5 for factor in noisy) == pytest.approx(COUNT * 0.05, rel=0.1)
    assert len(set(noisy)) == COUNT


def test_a_processor_without_noise_of_its_own_has_that_of_the_device() -> None:
    own = replace(make_processor("cpu"), noise=Gamma(cv=0.1))
    noisy = make_device(own, make_processor("gpu"), noise_sigma=0.2)
    cpu, gpu = noisy.processors
    assert noise_of(cpu, noisy) == Gamma(cv=0.1)
    assert noise_of(gpu, noisy) == LogNormal(sigma=0.2)
    exact = make_device(own, make_processor("gpu"))
    assert noise_of(exact.processors[1], exact) is None
