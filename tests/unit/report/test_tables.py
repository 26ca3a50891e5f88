import io
from dataclasses import replace

from rich.console import Console, RenderableType

from band.metrics.energy import Power
from band.metrics.fairness import Alone
from band.metrics.records import RequestRecord, TaskRecord
from band.metrics.runs import RunLabel, RunRecords
from band.metrics.summary import RunSummary, summarise
from band.report.tables import notes, run_tables, trace_tables
from band.trace.contents import contents
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

HEADER = Header(
    scenario="office",
    seed=3,
    seconds=2.0,
    models=(TraceModel(name="a", zoo="hand_landmark_full", sha256="ab" * 32), TraceModel(name="b")),
)


def record(number: int, model: str, latency_us: int, **values: object) -> RequestRecord:
    base: dict[str, object] = {
        "request": number,
        "model": model,
        "stream": "s",
        "frame": number,
        "parents": (),
        "priority": 8,
        "arrived_us": 0,
        "deadline_us": 20_000,
        "queue_us": 0,
        "finished_us": latency_us,
        "outcome": "completed",
        "reason": "",
        "tasks": (number,),
        "processors": ("cpu",),
    }
    return RequestRecord(**(base | values))  # type: ignore[arg-type]


def summary(
    policy: str = "least_slack_first", word: str = "simulated", on: str = "sim"
) -> RunSummary:
    task = TaskRecord(0, (0,), "a", 1, "cpu", 0, 500_000, 0, 500_000, 500_000, True, word)
    run = RunRecords(
        label=RunLabel(policy=policy, on=on, device="pixel4", emulated=True, word=word),
        requests=(
            record(0, "a", 12_300),
            record(1, "a", 45_600),
            record(2, "b", 900, outcome="dropped", reason="quota"),
        ),
        tasks=(task,),
        processors=("cpu", "gpu"),
        capacity_bound={"scale": 2.5, "requests_per_s": 3.75, "priced_us": {"a": 10.0, "b": 5.0}},
        on_time_bound=2,
        power={"cpu": Power(3_000, 0)},
        alone={"a": Alone(latency_us=10_000), "b": Alone(latency_us=500)},
    )
    return summarise(run, sent={"a": 2, "b": 1}, trace_us=2_000_000)


def drawn(*renderables: RenderableType, width: int = 200) -> str:
    written = io.StringIO()
    for renderable in renderables:
        Console(width=width, file=written).print(renderable)
    return written.getvalue()


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells behind each title of a table."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().split("  ") if cell.strip()]
        if cells:
            found[cells[0]] = cells[1:]
    return found


def test_policies_stand_side_by_side() -> None:
    first, _ = run_tables(HEADER, [summary("heft"), summary("least_slack_first")])
    table = rows(drawn(first))
    assert table["completed"] == ["2", "2"]
    assert table["not completed"] == ["1", "1"]
    assert table["dropped, quota"] == ["1", "1"]
    assert table["frames on time"] == ["33.3 %", "33.3 %"]
    assert table["deadlines met"] == ["33.3 %", "33.3 %"]
    assert table["latency p50"] == ["12.3 ms", "12.3 ms"]
    assert table["latency p99"] == ["45.6 ms", "45.6 ms"]
    assert table["cpu busy"] == ["25.0 %", "25.0 %"]
    assert table["gpu busy"] == ["0.0 %", "0.0 %"]


def test_the_limit_stands_below_the_deadlines_met() -> None:
    table = rows(drawn(next(iter(run_tables(HEADER, [summary()])))))
    assert table["deadlines met"] == ["33.3 %"]
    assert table["limit of any policy"] == ["66.7 %"]
    assert table["share of the limit"] == ["50.0 %"]
    assert table["share of the capacity bound"] == ["0.0 %"]
    assert table["slowdown (ANTT)"] == ["2.89x"]
    assert table["queue time, mean"] == ["0 us"]
    assert table["energy"] == ["1.5 J"]


def test_what_is_not_known_has_no_row() -> None:
    bare = replace(summary(), slo_bound=None, capacity_share=None, energy_uj=None, fairness=None)
    absent = {
        "limit of any policy", "share of the capacity bound", "energy", "slowdown (ANTT)",
    }  # fmt: skip
    assert absent.isdisjoint(rows(drawn(next(iter(run_tables(HEADER, [bare]))))))
    beside = rows(drawn(next(iter(run_tables(HEADER, [bare, summary()])))))
    assert beside["energy"] == ["-", "1.5 J"]
    assert beside["share of the capacity bound"] == ["-", "0.0 %"]


def test_many_policies_get_a_line_each_within_eighty_columns() -> None:
    many = [summary("shortest_expected_latency"), *(summary(f"policy_{i}") for i in range(19))]
    (only,) = run_tables(HEADER, many)
    text = drawn(only, width=80)
    table = rows(text)
    expected = ["2", "1.0", "33.3 %", "50.0 %", "12.3 ms", "45.6 ms"]
    assert table["shortest_expected_latency"] == table["policy_18"] == expected
    assert "on simulated pixel4" in text
    assert "limit of any policy: 66.7 % of the deadlines met" in list(notes(many))


def test_every_table_says_simulated_or_emulated() -> None:
    simulated = [drawn(table) for table in run_tables(HEADER, [summary()])]
    assert len(simulated) == 2
    assert all("on simulated pixel4" in text for text in simulated)
    served = [summary(word="emulated", on="unix:///x.sock")]
    for text in map(drawn, run_tables(HEADER, served)):
        assert "on emulated pixel4 at unix:///x.sock" in text


def test_a_table_of_five_policies_fits_a_terminal_of_eighty_columns() -> None:
    names = ("fixed_worker", "heft", "least_slack_first", "round_robin")
    five = [summary(name) for name in (*names, "shortest_expected_latency")]
    table = rows(drawn(next(iter(run_tables(HEADER, five))), width=80))
    assert table["latency p99"] == ["45.6 ms"] * 5


def test_each_model_has_its_rows() -> None:
    _, second = run_tables(HEADER, [summary()])
    text = drawn(second)
    assert "a, 2 sent" in text
    assert "b, 1 sent" in text
    assert text.count("latency p99") == 2


def test_a_trace_without_frames_speaks_of_requests() -> None:
    base = summary()
    figures = replace(base.total, frames=replace(base.total.frames, sent=0))
    first = next(iter(run_tables(HEADER, [replace(base, total=figures)])))
    text = drawn(first)
    assert "requests per second" in text
    assert "frames" not in text


def test_wall_figures_are_rows_when_there_are_any() -> None:
    timed = replace(summary(), wall={"elapsed_s": 1.25})
    assert rows(drawn(next(iter(run_tables(HEADER, [timed])))))["wall elapsed_s"] == ["1.25"]


def test_notes_tell_reports_and_the_capacity_bound() -> None:
    base = replace(summary(), reports=("policy x was replaced",))
    assert list(notes([base])) == [
        "least_slack_first: policy x was replaced",
        "capacity bound: under no policy can pixel4 sustain more than 2.50 times this load "
        "(4 requests/s)",
    ]
    assert list(notes([replace(summary(), capacity_bound=None)])) == []


def test_a_trace_is_shown_by_model_and_by_stream() -> None:
    frames = (
        Frame(at_us=0, stream="s", frame=0, nodes=(Node(id="a", model="a", count=3),)),
        Frame(at_us=5_000, stream="s", frame=1, nodes=(Node(id="a", model="a", deadline_us=9),)),
    )
    trace = Trace(header=HEADER, frames=frames)
    text = drawn(*trace_tables(HEADER, contents(trace)))
    assert "office, 2 s, seed 3; 1 of 4 requests have a deadline" in text
    assert rows(text)["a"] == ["hand_landmark_full", "abababababab", "4", "2.0"]
    assert rows(text)["s"] == ["2", "4", "2.00", "0 us", "5.0 ms"]
