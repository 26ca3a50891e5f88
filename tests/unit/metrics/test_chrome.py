import json
from collections import defaultdict
from typing import Any

import pytest

from band.metrics.chrome import chrome_trace, units_text
from band.metrics.records import RequestRecord, TaskRecord
from band.metrics.runs import RunLabel, RunRecords

PROCESSORS = ("cpu", "gpu")


def task(number: int, job: int, processor: str, start_us: int, end_us: int) -> TaskRecord:
    return TaskRecord(
        task=number,
        jobs=(job,),
        model="hand",
        units=0b11 << number,
        processor=processor,
        dispatched_us=start_us,
        finished_us=end_us,
        transfer_us=5,
        run_us=end_us - start_us - 5,
        predicted_us=end_us - start_us,
        ok=True,
        word="simulated",
    )


def request(
    number: int, stream: str, tasks: tuple[TaskRecord, ...], **values: Any
) -> RequestRecord:
    base: dict[str, Any] = {
        "request": number,
        "model": "hand",
        "stream": stream,
        "frame": 0,
        "parents": (),
        "priority": 0,
        "arrived_us": 0,
        "deadline_us": None,
        "queue_us": tasks[0].dispatched_us if tasks else None,
        "finished_us": tasks[-1].finished_us if tasks else 40,
        "outcome": "completed" if tasks else "dropped",
        "reason": "" if tasks else "queue_full",
        "tasks": tuple(t.task for t in tasks),
        "processors": tuple(t.processor for t in tasks),
    }
    return RequestRecord(**(base | values))


TASKS = (task(0, 0, "gpu", 10, 60), task(1, 0, "cpu", 60, 90), task(2, 1, "gpu", 60, 100))
REQUESTS = (request(0, "hands", TASKS[:2]), request(1, "", TASKS[2:]), request(2, "hands", ()))


def run(policy: str = "heft", word: str = "simulated") -> RunRecords:
    label = RunLabel(policy=policy, on="sim", device="pixel4", emulated=True, word=word)
    return RunRecords(label=label, requests=REQUESTS, tasks=TASKS, processors=PROCESSORS)


def document(*runs: RunRecords) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(chrome_trace(runs or (run(),))))
    return loaded


def by_phase() -> dict[str, list[dict[str, Any]]]:
    phases: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in document()["traceEvents"]:
        phases[event["ph"]].append(event)
    return phases


def test_only_the_phases_that_perfetto_reads_are_used_with_integer_times() -> None:
    phases = by_phase()
    assert set(phases) == {"M", "X", "s", "f", "C"}
    for phase in "XsfC":
        assert all(type(event["ts"]) is int and event["ts"] >= 0 for event in phases[phase])
    assert all(type(event["dur"]) is int and event["dur"] >= 0 for event in phases["X"])


def test_each_stream_is_a_process_with_one_thread_per_processor() -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for event in by_phase()["M"]:
        names[event["name"]].append(event["args"]["name"])
    assert names["process_name"] == [
        "scheduler (simulated)",
        "requests (simulated)",
        "hands (simulated)",
    ]
    assert names["thread_name"] == ["cpu (simulated)", "gpu (simulated)"] * 2


def test_every_track_carries_the_word_and_none_does_on_a_real_device() -> None:
    def tracks(word: str) -> list[str]:
        events = document(run(word=word))["traceEvents"]
        return [e["args"]["name"] for e in events if e["ph"] == "M"] + [
            e["name"] for e in events if e["ph"] == "C"
        ]

    assert all(name.endswith("(emulated)") for name in tracks("emulated"))
    assert not any("(" in name for name in tracks(""))


def test_a_slice_stands_on_the_thread_of_its_processor_for_as_long_as_it_ran() -> None:
    phases = by_phase()
    threads = {
        (e["pid"], e["tid"]): e["args"]["name"] for e in phases["M"] if e["name"] == "thread_name"
    }
    drawn = [(threads[e["pid"], e["tid"]], e["ts"], e["dur"], e["name"]) for e in phases["X"]]
    assert drawn == [
        ("gpu (simulated)", 10, 50, "hand [0-1]"),
        ("cpu (simulated)", 60, 30, "hand [1-2]"),
        ("gpu (simulated)", 60, 40, "hand [2-3]"),
    ]


def test_an_arrow_leads_from_each_task_of_a_split_request_to_the_next() -> None:
    phases = by_phase()
    (start,), (end,) = phases["s"], phases["f"]
    first, second, _ = phases["X"]
    assert start["id"] == end["id"]
    assert end["bp"] == "e"
    for arrow, drawn in ((start, first), (end, second)):
        assert (arrow["pid"], arrow["tid"]) == (drawn["pid"], drawn["tid"])
        assert drawn["ts"] <= arrow["ts"] < drawn["ts"] + drawn["dur"]


def test_the_counters_follow_the_queue_and_end_at_rest() -> None:
    levels: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in by_phase()["C"]:
        ((name, level),) = event["args"].items()
        levels[name].append((event["ts"], level))
    assert levels["waiting"] == [(0, 3), (10, 2), (40, 1), (60, 0), (90, 0), (100, 0)]
    assert levels["running"] == [(0, 0), (10, 1), (40, 1), (60, 2), (90, 1), (100, 0)]
    assert levels["dropped"][-1] == (100, 1)


def test_several_runs_stand_below_each_other_under_the_names_of_their_policies() -> None:
    events = document(run("heft"), run("round_robin"))["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert list(names.values()) == [
        f"{policy}: {name} (simulated)"
        for policy in ("heft", "round_robin")
        for name in ("scheduler", "requests", "hands")
    ]
    assert sorted(names) == list(range(6))
    arrows = [e["id"] for e in events if e["ph"] == "s"]
    assert len(arrows) == len(set(arrows)) == 2


@pytest.mark.parametrize(
    ("mask", "text"), [(0b1, "0"), (0b111, "0-2"), (0b100111, "0-2,5"), (0b1010, "1,3")]
)
def test_units_are_written_as_ranges(mask: int, text: str) -> None:
    assert units_text(mask) == text
