"""What a device is: its processors, what they can run, what that costs, how data moves.

Dataclasses only. ``band.config`` reads them from YAML; ``support`` and ``cost`` ask them.
"""

from dataclasses import dataclass
from enum import StrEnum

from band.device.dynamics import Contention, Noise, ThermalZone
from band.device.support_table import Support


class ProcessorKind(StrEnum):
    """The four kinds of processor."""

    CPU = "cpu"
    GPU = "gpu"
    DSP = "dsp"
    NPU = "npu"


class Mark(StrEnum):
    """How a number is known."""

    MEASURED = "measured"
    PUBLISHED = "published"
    DERIVED = "derived"
    HYPOTHESIS = "hypothesis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a coefficient comes from."""

    mark: Mark
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCoefficients:
    """Latency formula for models of one compute type.

    us = dispatch_us + per_op_us * ops + us_per_gmac * class-weighted GMAC
         + us_per_offchip_mb * max(0, weight_MB - onchip_mb), charged once per subgraph.

    Attributes:
        dtype: compute type it holds for (``float32`` covers fp16 weights computed as float).
        depthwise_weight: how much dearer a depthwise MAC is than a dense one. The rates were
            fitted on plain MACs of whole models, so the weights only distribute a model's time
            over its ops: they are scaled so that the whole model has its plain MACs.
        evidence: the weakest mark among the coefficients, and all sources.
        details: evidence per coefficient, by its name.
    """

    dtype: str
    dispatch_us: float
    us_per_gmac: float
    per_op_us: float = 0.0
    depthwise_weight: float = 1.0
    onchip_mb: float = 0.0
    us_per_offchip_mb: float = 0.0
    evidence: Evidence
    details: tuple[tuple[str, Evidence], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLatency:
    """A published latency of one exact file on one processor: it wins over the formula."""

    sha256: str
    model: str
    latency_us: int
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """One schedulable unit of a device.

    Attributes:
        index: position in the device, the identity used by plans and the scheduler.
        name: unique in the device, such as ``cpu0`` or ``gpu``.
        backend: the code that executes on it (a file of ``band/runtime/backends``).
        runtime: interpreter library of a CPU-computed backend.
        available: False when the device lists it but it cannot be used.
        options: backend options, validated against the backend's ``Options``.
        active_mw, idle_mw: power while it runs and while it does not; None if it is not known.
        cold_after_us: so long without a task, its next one is slower, and that is learnt apart;
            None if rest does not slow it.
        noise: of its emulated latencies; None for that of the device.
        details: evidence for power and noise.
    """

    index: int
    name: str
    kind: ProcessorKind
    backend: str
    runtime: str = "ai-edge-litert"
    threads: int = 1
    available: bool = True
    support: Support
    costs: tuple[CostCoefficients, ...]
    published: tuple[PublishedLatency, ...] = ()
    options: tuple[tuple[str, bool | int | float | str], ...] = ()
    active_mw: int | None = None
    idle_mw: int | None = None
    cold_after_us: int | None = None
    noise: Noise | None = None
    details: tuple[tuple[str, Evidence], ...] = ()

    @property
    def emulated(self) -> bool:
        """Return whether its times are those of a profile, not of this machine."""
        return self.backend == "emulated"

    def energy_uj(self, run_us: int) -> int:
        """Return the energy of a run, rounded up; 0 if its power is not known."""
        return -(-run_us * (self.active_mw or 0) // 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Moving data between two processors, either way: sync_us + bytes / bytes_per_s."""

    ends: tuple[int, int]
    sync_us: int
    bytes_per_s: float
    evidence: Evidence
    details: tuple[tuple[str, Evidence], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A whole machine.

    Attributes:
        version: of the profile file; reported with every emulated figure.
        time_scale: wall time per device time; 1 unless every processor is emulated.
        noise_sigma: standard deviation of the natural logarithm of an emulated latency.
        contention: groups of processors that slow each other; only the simulator plays them.
        thermal: zones that heat and throttle; only the simulator plays them.
        memory_budget_bytes: for loaded slices and boundary buffers together.
        strict: processors that must take every op between them, or the model is refused; None if
            ops may fall back, empty if accelerators are wanted and there is none.
        source: the YAML file, or "" when built in code.
        details: evidence for ``noise_sigma``, ``contention`` and ``thermal``.
    """

    name: str
    version: str
    description: str
    processors: tuple[Processor, ...]
    links: tuple[Link, ...] = ()
    default_link: Link | None = None
    memory_budget_bytes: int = 1 << 30
    time_scale: float = 1.0
    noise_sigma: float = 0.0
    contention: tuple[Contention, ...] = ()
    thermal: tuple[ThermalZone, ...] = ()
    strict: tuple[int, ...] | None = None
    source: str = ""
    details: tuple[tuple[str, Evidence], ...] = ()

    @property
    def emulated(self) -> bool:
        """Return whether any processor is emulated."""
        return any(p.emulated for p in self.processors)

    def processor(self, name: str) -> Processor | None:
        """Return the processor of that name, or None."""
        return next((p for p in self.processors if p.name == name), None)

    def transfer_us(self, source: int, target: int, byte_count: int) -> int:
        """Return the time to move bytes from one processor to another, rounded up; 0 if same."""
        if source == target or byte_count == 0:
            return 0
        link = next((k for k in self.links if set(k.ends) == {source, target}), self.default_link)
        if link is None:
            return 0
        return link.sync_us + -(-byte_count * 1_000_000 // int(link.bytes_per_s))
