from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.replay.policies import choose_policies
from band.scheduler.loader import list_policies

NEEDY = """
from dataclasses import dataclass
from band.scheduler.policy import PolicyInfo

@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    rate: float

class Needy:
    info = PolicyInfo(name="needy", summary="needs a rate", source="this test")
    def __init__(self, params): self.params = params
    def plan(self, view): return ()
"""


def test_by_default_all_policies_that_need_no_parameter_are_compared(tmp_path: Path) -> None:
    (tmp_path / "needy.py").write_text(NEEDY)
    chosen, left_out = choose_policies((), [tmp_path])
    assert left_out == ("needy",)
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
    (tmp_path / "needy.py").write_text(NEEDY)
    with pytest.raises(BandError, match="rate"):
        choose_policies(["needy"], [tmp_path])
