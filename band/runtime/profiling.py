"""Measured costs and what was learnt from them, kept in a file.

A measurement holds for one exact file, processor and runtime. The ops of a subgraph identify it,
so a profile stays valid when the analysis cuts the model differently.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, PositiveInt, TypeAdapter, ValidationError, with_config

from band.analysis.partition import Partition
from band.device.fit import CostFit
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.slice import Slice
from band.plan.table import PlanTable
from band.runtime.backends.protocol import BackendInfo
from band.runtime.host import Host
from band.runtime.measuring import Timing, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The execution time of one subgraph on one processor, in device time.

    Attributes:
        sha256: of the model file.
        ops: compute ops of the subgraph, ascending.
        delegate: what took ops from the runtime's own kernels, "" for nothing.
        threads: that a run used.
        word: "emulated" or "software" if the figure must carry that word, else "".
        runs: how many runs it was taken from, after a warm-up.
        mean_us: mean of the middle half of the runs.
        p95_us: 95th percentile of all runs.
        cpu_us: mean of the faster half of the processor times; None where nobody can tell them.
        predicted_us: what the cost model says of ``cost_us`` when it is fitted without this
            subgraph; None if there is no cost model.
    """

    model: str
    sha256: str
    ops: tuple[int, ...]
    processor: str
    runtime: str
    runtime_version: str
    delegate: str
    threads: int
    word: str
    runs: PositiveInt
    mean_us: PositiveInt
    p95_us: PositiveInt
    cpu_us: PositiveInt | None = None
    predicted_us: PositiveInt | None = None

    @property
    def cost_us(self) -> int:
        """Return what it costs: processor time if known, else device time.

        The two are the same when the processor is free. When it is not, device time says how busy
        the machine was, which belongs to the estimator and not to a profile.
        """
        return self.mean_us if self.cpu_us is None else self.cpu_us

    @property
    def error(self) -> float | None:
        """Return by how much the prediction is off, relative to the measurement."""
        return None if self.predicted_us is None else self.predicted_us / self.cost_us - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedCosts:
    """A cost model of processors that are alike.

    Attributes:
        processors: by name.
        basis: what it was fitted to and predicts: ``cpu`` or ``device`` time.
        error_median: of the absolute relative error on subgraphs that were held back; None if too
            few were measured to hold any back.
    """

    processors: tuple[str, ...]
    basis: Literal["cpu", "device"]
    error_median: float | None
    fit: CostFit


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The measurements of one device.

    Attributes:
        device, device_version: which device they were taken on.
        host: the machine that computed.
        band_version: the version of band that measured.
        fits: cost models for subgraphs that were not measured.
    """

    device: str
    device_version: str
    host: Host
    band_version: str
    measured: tuple[Measured, ...]
    fits: tuple[FittedCosts, ...] = ()

    def costs(
        self, graph: Graph, device: Device, partition: Partition, table: PlanTable
    ) -> dict[tuple[int, int, int], int]:
        """Return (first unit, last unit, processor) -> cost_us for the spans that were measured."""
        known = {(m.processor, m.ops): m for m in self.measured if m.sha256 == graph.sha256}
        weight = set(graph.weight_ops)
        found: dict[tuple[int, int, int], int] = {}
        for span in table.spans if known else ():
            units = partition.units[span.first : span.last + 1]
            ops = tuple(sorted(op for unit in units for op in unit.ops if op not in weight))
            entry = known.get((device.processors[span.processor].name, ops))
            if entry is not None:
                found[span.first, span.last, span.processor] = entry.cost_us
        return found

    def write(self, path: Path) -> None:
        """Write the profile as JSON; the file is whole or as it was, whatever happens meanwhile.

        Raises:
            OSError: it cannot be written.
        """
        written = _File(**{f.name: getattr(self, f.name) for f in fields(self)})
        _replace(path, "".join(_lines(asdict(written))))


def read_profile(path: Path) -> Profile:
    """Read what :meth:`Profile.write` wrote.

    Raises:
        BandError: NOT_FOUND, or INVALID_CONFIG if it is no profile.
    """
    try:
        written = TypeAdapter(_File).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BandError(ErrorCode.NOT_FOUND, f"there is no profile {path}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}." for part in first["loc"]).removesuffix(".")
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise _invalid(
            f"{path} is no profile of this version of band ({what}); make it with band profile"
        ) from error
    except OSError as error:
        raise _invalid(f"{path} cannot be read: {error.strerror}") from error
    return Profile(**{f.name: getattr(written, f.name) for f in fields(Profile)})


@with_config(ConfigDict(allow_inf_nan=False))
@dataclass(frozen=True, slots=True, kw_only=True)
class _File(Profile):
    """A profile as it is written."""

    format: Literal["band-profile"] = "band-profile"
    format_version: Literal[2] = 2


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield a JSON object with one line for each field, and for each entry of a list."""
    for number, (name, value) in enumerate(document.items()):
        yield "{\n" if number == 0 else ",\n"
        if isinstance(value, Sequence) and not isinstance(value, str) and value:
            entries = ",\n".join(f"  {json.dumps(entry)}" for entry in value)
            yield f' "{name}": [\n{entries}\n ]'
        else:
            yield f' "{name}": {json.dumps(value)}'
    yield "\n}\n"


def _replace(path: Path, text: str) -> None:
    """Put a file in place of another in one step, after it has reached the disk."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.chmod(0o666 & ~_umask())
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _invalid(message: str) -> BandError:
    return BandError(ErrorCode.INVALID_CONFIG, message)


def measured(
    graph: Graph, part: Slice, processor: str, info: BackendInfo, timings: Sequence[Timing]
) -> Measured:
    """Return what the execution times of a slice say of it."""
    taken = summary(timings)
    return Measured(
        model=graph.name,
        sha256=graph.sha256,
        ops=part.ops,
        processor=processor,
        runtime=info.runtime,
        runtime_version=info.runtime_version,
        delegate=info.delegate,
        threads=info.threads,
        word=info.word,
        runs=len(timings),
        mean_us=taken.mean_us,
        p95_us=taken.p95_us,
        cpu_us=taken.cpu_us,
    )
