import json
from collections import Counter
from pathlib import Path

import pytest

from band.trace.generator import generate
from band.trace.reader import read_trace
from band.trace.scenario import Scenario
from band.trace.schema import Frame
from band.trace.writer import write_trace


def scenario(**stream: object) -> Scenario:
    nodes = [
        {"model": "palm"},
        {"model": "hand", "depends_on": ["palm"], "count": {"uniform": [0, 2]}},
    ]
    base = {"name": "hands", "fps": 30.0, "nodes": nodes, **stream}
    return Scenario.model_validate_json(
        json.dumps({"name": "t", "models": {"palm": "p", "hand": "h"}, "streams": [base]})
    )


def frames(recipe: Scenario, seconds: float = 10.0, seed: int = 1) -> list[Frame]:
    return list(generate(recipe, seconds=seconds, seed=seed).frames)


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    recipe = scenario(jitter=0.3, probability=0.7)
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_trace(generate(recipe, seconds=5, seed=seed), tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a.split(b"\n", 1)[1] != c.split(b"\n", 1)[1]


def test_frames_without_jitter_stand_on_the_grid_of_their_rate() -> None:
    made = frames(scenario(offset_ms=5.0), seconds=1.0)
    assert [f.at_us for f in made] == [round(5000 + i * 1e6 / 30) for i in range(30)]
    assert [f.frame for f in made] == list(range(30))


def test_jitter_delays_a_frame_by_less_than_its_bound_and_keeps_the_order() -> None:
    made = frames(scenario(jitter=1.0), seconds=20.0)
    delays = [f.at_us - (f.frame or 0) * 1e6 / 30 for f in made]
    assert min(delays) >= -0.5
    assert max(delays) <= 1e6 / 30 + 0.5
    assert sum(delays) / len(delays) == pytest.approx(0.5e6 / 30, rel=0.1)
    assert [f.at_us for f in made] == sorted(f.at_us for f in made)


def test_a_stream_ends_after_its_duration() -> None:
    made = frames(scenario(offset_ms=1000.0, duration_s=2.0))
    assert made[0].at_us == 1_000_000
    assert len(made) == 60


def test_the_app_of_a_stream_and_its_wish_to_supersede_come_back_from_the_file(
    tmp_path: Path,
) -> None:
    recipe = scenario(app="headset", supersede=True)
    write_trace(generate(recipe, seconds=1, seed=3), tmp_path / "t.jsonl")
    read = list(read_trace(tmp_path / "t.jsonl").frames)
    assert read == frames(recipe, seconds=1.0, seed=3)
    assert {(f.app, f.supersede) for f in read} == {("headset", True)}
    plain = list(generate(scenario(), seconds=1, seed=3).frames)
    assert {(f.app, f.supersede) for f in plain} == {("", False)}


def test_skipped_frames_keep_their_numbers() -> None:
    made = frames(scenario(probability=0.5), seconds=100.0)
    assert len(made) == pytest.approx(1500, rel=0.06)
    assert all(f.at_us == round((f.frame or 0) * 1e6 / 30) for f in made)


def test_counts_vary_from_frame_to_frame() -> None:
    drawn = Counter(f.nodes[1].count for f in frames(scenario(), seconds=100.0))
    assert set(drawn) == {0, 1, 2}
    assert min(drawn.values()) > 900


def test_the_earlier_of_frame_and_node_deadline_holds_from_the_arrival() -> None:
    nodes = [{"model": "palm", "deadline_ms": 10.0}, {"model": "hand", "deadline_ms": 90.0}]
    made = frames(scenario(deadline_ms=33.0, offset_ms=100.0, nodes=nodes))
    assert [node.deadline_us for node in made[0].nodes] == [110_000, 133_000]


def test_a_node_without_any_deadline_has_none() -> None:
    assert frames(scenario())[0].nodes[0].deadline_us is None


def test_a_node_runs_only_in_frames_where_all_of_when_have_copies() -> None:
    nodes = [
        {"model": "palm", "probability": 0.5},
        {"model": "hand", "when": ["palm"]},
        {"name": "always", "model": "hand"},
    ]
    made = frames(scenario(nodes=nodes), seconds=30.0)
    counts = {tuple(node.count for node in f.nodes) for f in made}
    assert counts == {(0, 0, 1), (1, 1, 1)}


def test_a_frame_without_any_copy_is_left_out() -> None:
    made = frames(scenario(nodes=[{"model": "palm", "probability": 0.5}]), seconds=100.0)
    assert len(made) == pytest.approx(1500, rel=0.06)
    assert all(f.requests == 1 for f in made)


def test_nodes_are_written_parents_first_whatever_the_order_of_the_file() -> None:
    nodes = [{"model": "hand", "depends_on": ["palm"]}, {"model": "palm"}]
    assert [n.id for n in frames(scenario(nodes=nodes))[0].nodes] == ["palm", "hand"]


def test_changing_one_probability_changes_nothing_else() -> None:
    def arrivals(probability: float) -> list[tuple[int, int]]:
        nodes = [
            {"model": "palm", "probability": probability},
            {"model": "hand", "count": {"uniform": [1, 9]}},
        ]
        return [(f.at_us, f.nodes[1].count) for f in frames(scenario(jitter=0.5, nodes=nodes))]

    assert arrivals(0.2) == arrivals(0.9)


def test_streams_are_merged_by_time() -> None:
    one = scenario(jitter=0.5).streams[0]
    two = one.model_copy(update={"name": "other", "fps": 45.0})
    recipe = scenario().model_copy(update={"streams": (one, two)})
    made = frames(recipe, seconds=5.0)
    assert [f.at_us for f in made] == sorted(f.at_us for f in made)
    assert Counter(f.stream for f in made) == {"hands": 150, "other": 225}


def test_adding_a_stream_leaves_the_others_as_they_were() -> None:
    one = scenario(jitter=0.5).streams[0]
    two = one.model_copy(update={"name": "other"})
    both = scenario().model_copy(update={"streams": (two, one)})
    assert [f for f in frames(both) if f.stream == "hands"] == frames(scenario(jitter=0.5))
