"""Tables for the terminal: the runs of a replay side by side, one policy a column."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from band.metrics.summary import RunSummary
from band.trace.contents import TraceContents
from band.trace.schema import Header
from band.units import UJ_PER_J, format_us

_SHOWN: Final = (50, 95, 99)


_SIDE_BY_SIDE: Final = 5
"""More policies than these do not fit a terminal of 80 columns side by side."""


def run_tables(header: Header, summaries: Sequence[RunSummary]) -> Iterator[Group]:
    """Yield a table of all runs and, if there are several models, one of the models.

    More policies than fit side by side are one table of a line each.

    Args:
        header: of the trace that was played.
        summaries: of runs on one device.
    """
    if len(summaries) > _SIDE_BY_SIDE:
        yield _overview(header, summaries)
        return
    yield _runs(header, summaries)
    if len(summaries[0].models) > 1:
        yield _models(summaries)


def _title(header: Header, first: RunSummary) -> str:
    requests, frames = first.total.requests.sent, first.total.frames.sent
    sent = f"{frames} frames, {requests} requests" if frames else f"{requests} requests"
    return f"{header.scenario}, {header.seconds:g} s, {sent} on {where(first)}"


def _overview(header: Header, summaries: Sequence[RunSummary]) -> Group:
    first = summaries[0]
    rate = "frames\nper s" if first.total.frames.sent else "requests\nper s"
    table = _table()
    table.add_column("", no_wrap=True)
    for title in ("com-\npleted", rate, "deadlines\nmet", "of the\nlimit", "p50", "p99"):
        table.add_column(Text(title), justify="right", no_wrap=True, vertical="bottom")
    for summary in summaries:
        total = summary.total
        table.add_row(
            summary.label.policy,
            str(total.requests.completed),
            f"{total.fps:.1f}",
            _share(total.slo_satisfaction),
            _share(summary.slo_share),
            format_us(total.percentile_us(50)),
            format_us(total.percentile_us(99)),
        )
    return _titled(_title(header, first), table)


def _runs(header: Header, summaries: Sequence[RunSummary]) -> Group:
    first = summaries[0]
    frames = first.total.frames.sent
    table = _side_by_side(summaries)

    def row(title: str, cell: Callable[[RunSummary], str]) -> None:
        table.add_row(title, *(cell(summary) for summary in summaries))

    row("completed", lambda s: str(s.total.requests.completed))
    row("not completed", lambda s: str(s.total.requests.sent - s.total.requests.completed))
    for reason in sorted({reason for s in summaries for reason, _ in s.total.requests.dropped}):
        row(f"  dropped, {reason.replace('_', ' ')}", partial(_dropped, reason))
    row("frames per second" if frames else "requests per second", lambda s: f"{s.total.fps:.1f}")
    if frames:
        row("frames on time", lambda s: _share(s.total.frames.on_time / frames))
    row("deadlines met", lambda s: _share(s.total.slo_satisfaction))
    if first.slo_bound is not None:
        row("  limit of any policy", lambda s: _share(s.slo_bound))
        row("  share of the limit", lambda s: _share(s.slo_share))
    for percent in _SHOWN:
        row(f"latency p{percent}", partial(_percentile, percent))
    if any(s.capacity_share is not None for s in summaries):
        row("share of the capacity bound", lambda s: _share(s.capacity_share))
    row("queue time, mean", lambda s: format_us(s.total.queue_mean_us))
    if first.fairness is not None:
        row("slowdown (ANTT)", _slowdown)
    row("split requests", lambda s: str(s.total.split_requests))
    for name in first.processors:
        row(f"{name} busy", partial(_busy, name))
    if any(s.energy_uj is not None for s in summaries):
        row("energy", lambda s: _energy(s.energy_uj))
    for name in first.wall or {}:
        row(f"wall {name}", partial(_wall, name))
    return _titled(_title(header, first), table)


def _percentile(percent: float, summary: RunSummary) -> str:
    return format_us(summary.total.percentile_us(percent))


def _dropped(reason: str, summary: RunSummary) -> str:
    return str(dict(summary.total.requests.dropped).get(reason, 0))


def _slowdown(summary: RunSummary) -> str:
    fair = summary.fairness
    return "-" if fair is None or fair.antt is None else f"{fair.antt:.2f}x"


def _energy(energy_uj: int | None) -> str:
    return "-" if energy_uj is None else f"{energy_uj / UJ_PER_J:.3g} J"


def _busy(name: str, summary: RunSummary) -> str:
    return _share(summary.processors[name].utilisation)


def _wall(name: str, summary: RunSummary) -> str:
    return f"{(summary.wall or {})[name]:,.6g}"


def _models(summaries: Sequence[RunSummary]) -> Group:
    table = _side_by_side(summaries)
    for name, figures in summaries[0].models.items():
        of = [summary.models[name] for summary in summaries]
        title = f"{name}, {figures.requests.sent} sent"
        table.add_row(title)
        table.add_row("  latency p50", *(format_us(f.percentile_us(50)) for f in of))
        table.add_row("  latency p99", *(format_us(f.percentile_us(99)) for f in of))
        if figures.slo_satisfaction is not None:
            table.add_row("  deadlines met", *(_share(f.slo_satisfaction) for f in of))
    return _titled(f"per model, on {where(summaries[0])}", table)


def _side_by_side(summaries: Sequence[RunSummary]) -> Table:
    """Return a table with a column per policy, its name broken into lines to keep it narrow."""
    table = _table()
    table.add_column("", no_wrap=True)
    for summary in summaries:
        name = summary.label.policy.replace("_", "\n")
        table.add_column(Text(name), justify="right", no_wrap=True, vertical="bottom")
    return table


def trace_tables(header: Header, holds: TraceContents) -> Iterator[Group]:
    """Yield a table of the models of a trace and one of its streams."""
    seed = "recorded or imported" if header.seed is None else f"seed {header.seed}"
    deadlines = f"{holds.with_deadline} of {holds.requests} requests have a deadline"
    table = _table()
    for title in ("name", "model", "sha256"):
        table.add_column(title, no_wrap=True)
    for title in ("requests", "per second"):
        table.add_column(title, justify="right")
    for model in header.models:
        count = holds.models[model.name]
        digest = model.sha256[:12] if model.sha256 else "-"
        rate = f"{count / header.seconds:.1f}"
        table.add_row(model.name, model.reference, digest, str(count), rate)
    yield _titled(f"{header.scenario}, {header.seconds:g} s, {seed}; {deadlines}", table)
    table = _table()
    table.add_column("stream", no_wrap=True)
    for title in ("frames", "requests", "per frame", "first", "last"):
        table.add_column(title, justify="right")
    for name, stream in holds.streams.items():
        each = f"{stream.requests / stream.frames:.2f}"
        times = (format_us(stream.first_us), format_us(stream.last_us))
        table.add_row(name or "-", str(stream.frames), str(stream.requests), each, *times)
    yield _titled("streams", table)


def where(summary: RunSummary) -> str:
    """Return the device of a run with the word that its figures must carry, and what ran it."""
    label = summary.label
    words = " ".join(word for word in (label.word, label.device) if word)
    return words if label.on in ("sim", "engine") else f"{words} at {label.on}"


def notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """Yield what must be known to read the tables, one sentence each."""
    for summary in summaries:
        for report in summary.reports:
            yield f"{summary.label.policy}: {report}"
    first = summaries[0]
    if first.slo_bound is not None and len(summaries) > _SIDE_BY_SIDE:
        yield f"limit of any policy: {_share(first.slo_bound)} of the deadlines met"
    bound = first.capacity_bound
    if bound is not None:
        yield (
            f"capacity bound: under no policy can {first.label.device} sustain more than "
            f"{bound['scale']:.2f} times this load ({bound['requests_per_s']:.0f} requests/s)"
        )


def _table() -> Table:
    return Table(box=None, pad_edge=False)


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
