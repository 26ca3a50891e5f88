"""Measured costs: how they are taken, kept in a file, and put in place of estimates.

A measurement holds for one exact file, processor and runtime. The ops of a subgraph identify it,
so a profile stays valid when the analysis cuts the model differently.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from band.analysis.partition import Partition
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.slice import Slice
from band.plan.table import PlanTable
from band.runtime.backends.protocol import BackendInfo
from band.runtime.measuring import Timing, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The execution time of one subgraph on one processor, in device time.

    Attributes:
        sha256: of the model file.
        ops: compute ops of the subgraph, ascending.
        word: "emulated" or "software" if the figure must carry that word, else "".
        runs: how many runs it was taken from.
    """

    model: str
    sha256: str
    ops: tuple[int, ...]
    processor: str
    runtime: str
    runtime_version: str
    word: str
    runs: int
    mean_us: int
    p95_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The measurements of one device.

    Attributes:
        device, device_version: which device they were taken on.
    """

    device: str
    device_version: str
    measured: tuple[Measured, ...]

    def costs(
        self, graph: Graph, device: Device, partition: Partition, table: PlanTable
    ) -> dict[tuple[int, int, int], int]:
        """Return (first unit, last unit, processor) -> mean_us for the spans that were measured.

        Raises:
            BandError: INVALID_CONFIG if it was taken on another device or with another runtime.
        """
        if self.device != device.name:
            raise _invalid(
                f"the profile was measured on device {self.device!r}, not on {device.name!r}; "
                "measure it again with band profile"
            )
        known = {(m.processor, m.ops): m for m in self.measured if m.sha256 == graph.sha256}
        weight = set(graph.weight_ops)
        found: dict[tuple[int, int, int], int] = {}
        for span in table.spans:
            processor = device.processors[span.processor]
            units = partition.units[span.first : span.last + 1]
            ops = tuple(sorted(op for unit in units for op in unit.ops if op not in weight))
            entry = known.get((processor.name, ops))
            if entry is None:
                continue
            if entry.runtime != processor.runtime:
                raise _invalid(
                    f"the profile was measured with {entry.runtime} on processor "
                    f"{processor.name!r}, which runs {processor.runtime} now; measure it again "
                    "with band profile"
                )
            found[span.first, span.last, span.processor] = entry.mean_us
        return found

    def write(self, path: Path) -> None:
        """Write the profile as JSON."""
        written = _File(
            device=self.device, device_version=self.device_version, measured=self.measured
        )
        path.write_text(json.dumps(asdict(written), indent=2) + "\n", encoding="utf-8")


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
        where = ".".join(str(part) for part in first["loc"])
        raise _invalid(
            f"{path} is no profile of this version of band ({where}: {first['msg']}); make it "
            "with band profile"
        ) from error
    except OSError as error:
        raise _invalid(f"{path} cannot be read: {error.strerror}") from error
    return Profile(
        device=written.device, device_version=written.device_version, measured=written.measured
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _File(Profile):
    """A profile as it is written."""

    format: Literal["band-profile"] = "band-profile"
    format_version: Literal[1] = 1


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
        word=info.word,
        runs=len(timings),
        mean_us=taken.mean_us,
        p95_us=taken.p95_us,
    )
