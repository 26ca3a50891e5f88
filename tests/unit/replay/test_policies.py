from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.replay.policies import choose_policies
from band.scheduler.loader import list_policies
from band.testing.policy_files import write_policy


def test_by_default_all_policies_that_need_no_parameter_are_compared(tmp_path: Path) -> None:
    write_policy(tmp_path, "needy", params="rate: float")
    (tmp_path / "wip.py").write_text("def plan(:")
    chosen, left_out = choose_policies((), [tmp_path])
    needy, static_plan, broken = left_out
    assert needy == "policy needy needs parameters"
    assert static_plan == "policy static_plan needs parameters"
    assert f"policy {tmp_path / 'wip.py'} does not import: SyntaxError" in broken
    shipped = [source.name for source in list_policies() if not source.needs_params]
    assert [policy.name for policy in chosen] == shipped


def test_an_alias_stands_for_its_policy_and_counts_once() -> None:
    chosen, _ = choose_policies(["heterogeneous_earliest_finish_time", "heft", "sel"])
    assert [policy.name for policy in chosen] == ["heft", "shortest_expected_latency"]


def test_a_policy_file_keeps_its_path_as_its_name(tmp_path: Path) -> None:
    source = next(s for s in list_policies() if s.name == "heft").path
    assert source is not None
    copy = tmp_path / "heft.py"
    copy.write_bytes(source.read_bytes())
    chosen, _ = choose_policies([str(copy), "heft"])
    assert [policy.name for policy in chosen] == [str(copy), "heft"]


def test_a_policy_asked_for_must_exist_and_have_its_parameters(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="did you mean 'heft'") as caught:
        choose_policies(["hefty"])
    assert caught.value.code is ErrorCode.UNKNOWN_POLICY
    write_policy(tmp_path, "needy", params="rate: float")
    with pytest.raises(BandError, match="rate"):
        choose_policies(["needy"], [tmp_path])


def test_a_yaml_file_brings_a_policy_with_its_parameters(tmp_path: Path) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text("name: heft\nparams: {window: 3}\n")
    chosen, left_out = choose_policies([str(file), "heft"])
    assert [policy.name for policy in chosen] == [str(file), "heft"]
    assert [dict(policy.swapped.params) for policy in chosen] == [{"window": 3}, {"window": 8}]
    assert (chosen[0].ref, chosen[0].params, left_out) == ("heft", {"window": 3}, ())


def test_a_mistake_in_a_yaml_file_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("name: static_plan\nparams:\n  models: {m: {variants: [{stepps: []}]}}\n")
    with pytest.raises(BandError, match=r"plan\.yaml:2") as caught:
        choose_policies([str(file)])
    assert caught.value.code is ErrorCode.INVALID_CONFIG
