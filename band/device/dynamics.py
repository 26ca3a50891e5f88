"""How the speed of a device changes while it runs: noise, contention, heat.

Dataclasses only. ``band.config`` reads them from YAML, ``band.sim`` plays them. A scheduler never
reads them: it learns a changed speed from the tasks that finish, as on a real device.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal:
    """Times are multiplied by exp(N(0, sigma)); the median stays.

    Attributes:
        sigma: standard deviation of the natural logarithm.
    """

    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamma:
    """Times are multiplied by a gamma variate of mean 1: less of a tail than log-normal.

    Attributes:
        cv: coefficient of variation, standard deviation over mean.
    """

    cv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Empirical:
    """Times are multiplied by one of the factors that were measured, each as likely.

    Attributes:
        factors: measured time over expected time, one for each measurement.
    """

    factors: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spikes:
    """Now and then a run takes much longer, as when another program has the processor.

    Attributes:
        probability: of a spike, for each run.
        factor: by which it multiplies the time.
        sigma: of log-normal noise of every run, spike or not.
    """

    probability: float
    factor: float
    sigma: float = 0.0


Noise = LogNormal | Gamma | Empirical | Spikes


@dataclass(frozen=True, slots=True, kw_only=True)
class CoRunners:
    """Each processor that runs slows the others of its group by a share of their own.

    A processor takes ``1 + share * n`` times as long while n others of the group run.

    Attributes:
        shares: (processor, share) of each member.
    """

    shares: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthShare:
    """What one processor asks of a shared memory.

    Attributes:
        bytes_per_s: that it moves while it runs alone.
        memory_bound: share of its time, 0 to 1, that grows when it gets less.
    """

    processor: int
    bytes_per_s: float
    memory_bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBandwidth:
    """Processors share a memory in proportion to what they ask of it.

    While the running members ask for D and D exceeds the memory's B, a member takes
    ``1 - memory_bound + memory_bound * D / B`` times as long.

    Attributes:
        bytes_per_s: B.
    """

    bytes_per_s: float
    members: tuple[BandwidthShare, ...]


Contention = CoRunners | SharedBandwidth


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalZone:
    """Processors that heat each other, and what heat does to their speed.

    The heat h of a zone starts at 0 and follows ``dh/dt = (target - h) / time_constant_s``; the
    target is the sum of the heating of the members that run. So a single member that runs for
    ever heats the zone to its heating, and one that stops lets it cool to 0.

    Attributes:
        heating: (processor, heating) of each member.
        slowdown: (heat, factor) points, ascending in both; linear between them, flat outside.
    """

    heating: tuple[tuple[int, float], ...]
    time_constant_s: float
    slowdown: tuple[tuple[float, float], ...]
