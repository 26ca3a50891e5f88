"""Strict mode: who must take every op, and the sentence when nobody does."""

from dataclasses import replace

import pytest

from band.analysis.analyze import analyze
from band.analysis.partition import Mode
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.testing.graphs import device_for, make_graph

GRAPH = make_graph([[0], [1], [2], [3]])


def device(strict: tuple[int, ...] | None, **refused: set[int]) -> Device:
    made = device_for(GRAPH, {"cpu0": set(), **refused})
    return replace(made, strict=strict)


def refusal(target: Device, mode: Mode = Mode.COST) -> BandError:
    with pytest.raises(BandError) as caught:
        analyze(GRAPH, target, mode=mode, minimum_subgraph_size=1)
    assert caught.value.code is ErrorCode.FALLBACK_REFUSED
    assert caught.value.outcome == ("FAILED_PRECONDITION", 3)
    return caught.value


def test_without_strict_ops_fall_back() -> None:
    assert analyze(GRAPH, device(None, gpu={1})).unsupported


def test_what_a_strict_processor_takes_whole_may_run() -> None:
    analyze(GRAPH, device((1,), gpu=set(), npu={0, 1}))


@pytest.mark.parametrize("mode", list(Mode))
def test_every_op_that_would_fall_back_is_named_with_type_and_reason(mode: Mode) -> None:
    error = refusal(device((1,), gpu={0, 2, 3}), mode)
    assert error.message == (
        "strict mode refuses model made on made: 3 of 4 ops would fall back, since gpu takes none "
        "of these: ops 0, 2-3 (ADD 3): refused by the test"
    )
    reason = "refused by the test"
    assert error.fields["ops"] == ((0, "ADD", reason), (2, "ADD", reason), (3, "ADD", reason))


def test_several_strict_processors_may_share_the_ops() -> None:
    analyze(GRAPH, device((1, 2), gpu={0, 1}, npu={2, 3}))
    error = refusal(device((1, 2), gpu={0, 1}, npu={1, 2}))
    assert "1 of 4 ops would fall back, since gpu and npu take none" in error.message
    assert "op 1 (ADD): gpu: refused by the test and npu: refused by the test" in error.message


def test_a_processor_that_is_not_available_takes_nothing() -> None:
    made = device((1,), gpu=set())
    processors = (made.processors[0], replace(made.processors[1], available=False))
    error = refusal(replace(made, processors=processors))
    assert error.message.endswith("ops 0-3 (ADD 4): not available")


def test_ops_that_the_minimum_size_takes_away_fall_back_as_well() -> None:
    # gpu and npu share the ops, but each run of gpu is shorter than the minimum.
    target = device((1,), gpu={1, 2, 3})
    with pytest.raises(BandError, match="in a run of fewer than 2 ops"):
        analyze(GRAPH, target, minimum_subgraph_size=2)


def test_a_device_without_accelerators_has_nothing_to_be_strict_about() -> None:
    error = refusal(device(()))
    assert "strict: cpu" in error.message


def test_an_op_that_runs_nowhere_is_the_better_explanation() -> None:
    made = device_for(GRAPH, {"cpu0": {1}, "gpu": {1}})
    with pytest.raises(BandError, match="runs on no processor") as caught:
        analyze(GRAPH, replace(made, strict=(1,)))
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
