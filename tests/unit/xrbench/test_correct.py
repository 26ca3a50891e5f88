"""Correct mode: the core and the simulator, by the rules of the benchmark."""

import statistics
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.testing.policy_files import write_policy
from band.testing.xrbench_cases import tiny_case
from band.testing.xrbench_data import dual_cases
from band.xrbench import correct
from band.xrbench.result import CaseResult
from band.xrbench.scenarios import ScenarioModel
from band.xrbench.workload import START_GRACE_US, streams, workload

SHEDDING = {"shed": True, "placement": "earliest_finish"}
PUBLISHED = (53.47, 27.50, 52.26, 97.28, 90.63, 68.39, 93.90, 54.25, 90.21)
"""Of the simple shedding rule on the nine dual cases."""

EYE = ScenarioModel(name="eye", fps=10)
GAZE = ScenarioModel(name="gaze", fps=10, depends_on=("eye",))


def frames(result: CaseResult, model: str) -> list[int]:
    return sorted(i.frame for i in result.inferences if i.model == model)


def test_the_simple_shedding_rule_scores_as_published_on_every_case(published: Path) -> None:
    results = [correct.run(case, "sjf", SHEDDING) for case in dual_cases(published)]
    overall = [result.scores.overall for result in results]
    assert overall == pytest.approx(PUBLISHED, abs=0.0051)
    assert statistics.fmean(overall) == pytest.approx(69.77, abs=0.005)


def test_every_frame_is_completed_or_dropped() -> None:
    models = [ScenarioModel(name="a", fps=60), ScenarioModel(name="b", fps=45), EYE, GAZE]
    case = tiny_case(models, {"a": [14.0], "b": [9.0], "eye": [30.0], "gaze": [30.0]})
    result = correct.run(case, "edf")
    for model in models:
        assert len(frames(result, model.name)) + result.dropped[model.name] == model.frames
    assert sum(result.dropped.values()) > 0


def test_a_dependent_starts_when_the_same_frame_upstream_completes() -> None:
    result = correct.run(tiny_case([EYE, GAZE], {"eye": [10.0], "gaze": [5.0]}), "fcfs")
    gaze = [i for i in result.inferences if i.model == "gaze"]
    assert [(i.frame, i.injected_ms, i.dispatched_ms, i.deadline_ms) for i in gaze] == [
        (n, 100.0 * n, 100.0 * n + 10.0, 100.0 * (n + 1)) for n in range(7)
    ]


def test_a_dependent_of_a_dropped_frame_is_dropped() -> None:
    result = correct.run(tiny_case([EYE, GAZE], {"eye": [150.0], "gaze": [1.0]}), "sjf", SHEDDING)
    assert result.dropped == {"eye": 7, "gaze": 7}
    assert result.scores.overall == 0.0


def test_a_frame_may_start_at_its_deadline_and_then_counts_as_completed() -> None:
    # Both arrive at 0; a takes to the deadline of b, which then starts and ends late.
    models = [ScenarioModel(name="a", fps=2), ScenarioModel(name="b", fps=10)]
    exact = correct.run(tiny_case(models, {"a": [100.0], "b": [100.0]}), "fcfs")
    assert 0 in frames(exact, "b")
    assert exact.scores.models["b"].on_time < exact.scores.models["b"].completed
    later = correct.run(tiny_case(models, {"a": [100.001], "b": [100.0]}), "fcfs")
    assert 0 not in frames(later, "b"), "a microsecond after its deadline it has been dropped"


def test_the_load_is_declared_before_it_arrives() -> None:
    case = tiny_case([EYE, GAZE], {"eye": [10.0], "gaze": [5.0]})
    eye, gaze = streams(case.scenario)
    assert (eye.stream, gaze.stream) == ("eye", "eye"), "one stream: its frames are played together"
    assert (eye.parents, gaze.parents) == ((), ("eye",))
    assert (eye.period_us, eye.deadline_us, eye.next_us, eye.frames) == (100_000, 100_000, 0, 7)
    assert eye.expires_us == 100_000 + START_GRACE_US
    assert workload(case.scenario, 0).streams == (eye, gaze)


def test_a_policy_sees_everything_that_happens_at_one_moment() -> None:
    # Whichever arrives first, the shortest goes first: both arrive at 0.
    models = [ScenarioModel(name="long", fps=10), ScenarioModel(name="short", fps=10)]
    for ordered in (models, models[::-1]):
        case = tiny_case(ordered, {"long": [40.0], "short": [10.0]})
        first = min(correct.run(case, "sjf").inferences, key=lambda i: i.dispatched_ms)
        assert first.model == "short"


def test_completions_are_in_microseconds_rounded_up() -> None:
    result = correct.run(tiny_case([EYE], {"eye": [1.5031361]}), "fcfs")
    assert result.inferences[0].completed_ms == 1.504


def test_there_is_no_score_for_a_policy_that_fails(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "failing", "raise ValueError('no plan')")
    with pytest.raises(BandError, match=r"failed on tiny tiny at 0 us.*there is no score") as told:
        correct.run(tiny_case([EYE], {"eye": [1.0]}), str(path))
    assert told.value.code is ErrorCode.POLICY_FAILED


def test_a_dependent_of_another_rate_is_refused_with_the_way_out() -> None:
    slow = ScenarioModel(name="slow", fps=5, depends_on=("eye",))
    with pytest.raises(BandError, match=r"slow at 5 .* eye at 10.*use --mode compat"):
        correct.run(tiny_case([EYE, slow], {"eye": [1.0], "slow": [1.0]}), "fcfs")


def test_an_unwanted_frame_is_neither_completed_nor_dropped() -> None:
    maybe = ScenarioModel(name="maybe", fps=10, depends_on=("eye",), probability=0.5)
    result = correct.run(tiny_case([EYE, maybe], {"eye": [1.0], "maybe": [1.0]}), "fcfs", seed=3)
    assert result.dropped == {"eye": 0, "maybe": 0}
    assert 0 < len(frames(result, "maybe")) < 7
    assert result.scores.models["maybe"].qoe == 1.0
