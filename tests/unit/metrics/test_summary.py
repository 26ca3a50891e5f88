from dataclasses import replace

import pytest

from band.errors import BandError
from band.metrics.energy import Power
from band.metrics.records import RequestRecord, TaskRecord
from band.metrics.runs import RunLabel, RunRecords
from band.metrics.summary import RunSummary, summarise

LABEL = RunLabel(policy="heft", on="sim", device="pixel4", emulated=True, word="simulated")


def request(number: int, model: str, finished_us: int) -> RequestRecord:
    return RequestRecord(
        request=number,
        model=model,
        stream="s",
        frame=number,
        parents=(),
        priority=0,
        arrived_us=0,
        deadline_us=None,
        queue_us=0,
        finished_us=finished_us,
        outcome="completed",
        reason="",
        tasks=(number,),
        processors=("cpu",),
    )


def task(number: int, processor: str, start_us: int, end_us: int) -> TaskRecord:
    return TaskRecord(
        task=number,
        jobs=(number,),
        model="a",
        units=1,
        processor=processor,
        dispatched_us=start_us,
        finished_us=end_us,
        transfer_us=0,
        run_us=end_us - start_us,
        predicted_us=end_us - start_us,
        ok=True,
        word="simulated",
    )


RUN = RunRecords(
    label=LABEL,
    requests=(request(0, "a", 400), request(1, "a", 800), request(2, "b", 200)),
    tasks=(task(0, "cpu", 0, 400), task(1, "cpu", 400, 800), task(2, "gpu", 0, 200)),
    processors=("cpu", "gpu", "dsp"),
)


def summary(*, trace_us: int = 1000, sent: dict[str, int] | None = None) -> RunSummary:
    return summarise(RUN, sent=sent or {"b": 1, "a": 2}, trace_us=trace_us)


def test_the_document_has_exactly_the_fields_that_programs_rely_on() -> None:
    made = summary().to_json()
    assert set(made) == {
        *("policy", "on", "device", "emulated", "word", "duration_us", "requests", "frames"),
        *("fps", "p50_us", "p95_us", "p99_us", "slo_satisfaction", "models", "processors"),
        *("split_requests", "capacity_bound", "reports", "p90_us", "p99_9_us"),
        *("deadline_misses", "queue_mean_us", "queue_p95_us", "energy_uj", "capacity_share"),
        *("slo_bound", "slo_share", "fairness"),
    }
    assert made["emulated"] is True
    assert made["word"] == "simulated"
    assert made["capacity_bound"] is None


def test_each_model_has_the_same_figures_of_its_own_requests() -> None:
    models = summary().to_json()["models"]
    assert list(models) == ["a", "b"]
    assert models["a"]["requests"]["sent"] == 2
    assert (models["a"]["p50_us"], models["b"]["p50_us"]) == (400, 200)


def test_utilisation_is_busy_time_over_the_run_and_idle_processors_are_listed() -> None:
    assert summary().to_json()["processors"] == {
        "cpu": {"utilisation": 0.8, "tasks": 2, "energy_uj": None},
        "gpu": {"utilisation": 0.2, "tasks": 1, "energy_uj": None},
        "dsp": {"utilisation": 0.0, "tasks": 0, "energy_uj": None},
    }


def test_a_run_lasts_as_long_as_its_trace_or_its_last_request() -> None:
    assert summary(trace_us=1000).duration_us == 1000
    assert summary(trace_us=100).duration_us == 800


def test_a_model_whose_requests_are_missing_is_noticed() -> None:
    with pytest.raises(BandError, match="4 requests were sent but 3 ended"):
        summary(sent={"a": 3, "b": 1})


def test_wall_figures_appear_only_when_given() -> None:
    assert "wall" not in summary().to_json()
    timed = replace(summary(), wall={"elapsed_s": 1.5})
    assert timed.to_json()["wall"] == {"elapsed_s": 1.5}


def test_without_limits_and_energy_their_figures_are_null() -> None:
    made = summary().to_json()
    names = ("capacity_share", "slo_bound", "slo_share", "energy_uj", "fairness")
    assert [made[name] for name in names] == [None] * 5


def test_energy_is_active_and_idle_power_for_as_long() -> None:
    power = {"cpu": Power(1500, 100), "gpu": Power(3000, 0), "dsp": Power(500, 40)}
    run = replace(RUN, power=power)
    made = summarise(run, sent={"a": 2, "b": 1}, trace_us=1000).to_json()
    assert [p["energy_uj"] for p in made["processors"].values()] == [1200 + 20, 600, 40]
    assert made["energy_uj"] == 1860


def test_there_is_no_total_if_the_power_of_a_processor_that_ran_is_not_known() -> None:
    run = replace(RUN, power={"cpu": Power(1500, 0)})
    made = summarise(run, sent={"a": 2, "b": 1}, trace_us=1000).to_json()
    assert made["energy_uj"] is None
    assert [p["energy_uj"] for p in made["processors"].values()] == [1200, None, None]


def test_the_share_of_the_capacity_bound_weighs_what_was_completed_by_its_price() -> None:
    bound = {"priced_us": {"a": 100.0, "b": 50.0}}
    run = replace(RUN, capacity_bound=bound)
    made = summarise(run, sent={"a": 2, "b": 1}, trace_us=1000)
    assert made.capacity_share == 0.25


def test_the_share_of_the_deadline_bound_compares_what_was_met_with_what_could_be() -> None:
    requests = tuple(
        r._replace(deadline_us=us) for r, us in zip(RUN.requests, (400, 700, None), strict=True)
    )
    run = replace(RUN, requests=requests, on_time_bound=2)
    made = summarise(run, sent={"a": 2, "b": 1}, trace_us=1000)
    assert (made.slo_bound, made.slo_share) == (1.0, 0.5)
    nothing = summarise(replace(run, on_time_bound=0), sent={"a": 2, "b": 1}, trace_us=1000)
    assert (nothing.slo_bound, nothing.slo_share) == (0.0, None)
