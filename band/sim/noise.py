"""Noise of latencies: the factor by which a run takes longer or shorter than expected."""

from random import Random
from typing import assert_never

from band.device.dynamics import Empirical, Gamma, LogNormal, Noise, Spikes
from band.device.profile import Device, Processor


def noise_of(processor: Processor, device: Device) -> Noise | None:
    """Return the noise of a processor: its own or that of the device; None for exact times."""
    if processor.noise is not None:
        return processor.noise
    return LogNormal(sigma=device.noise_sigma) if device.noise_sigma else None


def draw(noise: Noise, random: Random) -> float:
    """Return a factor, greater than 0, drawn from a noise model."""
    match noise:
        case LogNormal(sigma=sigma):
            return random.lognormvariate(0.0, sigma)
        case Gamma(cv=cv):
            # Shape k and scale 1/k: mean 1, variance 1/k.
            variance = cv * cv
            return random.gammavariate(1 / variance, variance)
        case Empirical(factors=factors):
            return random.choice(factors)
        case Spikes(probability=probability, factor=factor, sigma=sigma):
            spike = factor if random.random() < probability else 1.0
            return spike * random.lognormvariate(0.0, sigma)
        case _:
            assert_never(noise)
