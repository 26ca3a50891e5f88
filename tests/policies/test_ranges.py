"""Parameters outside their range are refused in one sentence, whichever way they come."""

from pathlib import Path
from typing import Any

import pytest

from band.config.params import parse_params
from band.errors import BandError, ErrorCode
from band.scheduler.commands import JobOutcome
from band.scheduler.events import PolicySwapped
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy_source import load_file
from band.scheduler.ranges import hints_of, range_text
from band.share import share_dir
from band.testing.core_driver import CoreDriver
from band.testing.policy_files import write_policy
from band.testing.tables import whole

FILES = sorted(share_dir("policies").glob("*.py"))
ANY_NUMBER = {("rehearsal", "seed")}
WRONG = [
    ("ageing", "class_us", 0, "at least 1"),
    ("ageing", "candidates", 0, "at least 1"),
    ("dream", "alpha", -1, "at least 0"),
    ("dream", "drop_limit", -1, "at least 0"),
    ("dream", "drop_history", 0, "at least 1"),
    ("dysta", "beta", -1, "at least 0"),
    ("dysta", "no_deadline_us", -1, "at least 0"),
    ("fair_share", "candidates", 0, "at least 1"),
    ("fair_share", "default_weight", 0, "greater than 0"),
    ("planaria_lite", "no_deadline_us", -1, "at least 0"),
    ("prema", "high", -1, "at least 1"),
    ("prema", "medium", 0, "at least 1"),
    ("price_aware", "beta", -5, "at least 0"),
    ("price_aware", "congested", -1, "at least 0"),
    ("price_aware", "patience", -3, "greater than 0"),
    ("rehearsal", "simulations", -1, "at least 0"),
    ("rehearsal", "patience", 0, "at least 1"),
    ("rehearsal", "horizon_us", -5, "at least 1"),
    ("rehearsal", "advise_ms", -5, "at least 1"),
    ("rehearsal", "margin", -1, "at least 0"),
]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_number_that_a_policy_takes_has_a_range(path: Path) -> None:
    params_type = load_file(path).params_type
    hints = hints_of(params_type)
    assert range_text(hints["window"], "window") == "at least 1"
    for name, hint in hints.items():
        if any(word in str(hint) for word in ("int", "float")):
            assert range_text(hint, name) or (path.stem, name) in ANY_NUMBER, name


@pytest.mark.parametrize(("policy", "name", "value", "allowed"), WRONG)
def test_a_value_outside_its_range_is_refused_whichever_way_it_comes(
    policy: str, name: str, value: float, allowed: str
) -> None:
    sentence = f"policy {policy}: '{name}' must be {allowed}"
    for parse in (parse_params, None):
        with pytest.raises(BandError, match=sentence) as caught:
            policy_swapped(policy, {name: value}, parse=parse)
        assert caught.value.code is ErrorCode.INVALID_CONFIG
    recorded = PolicySwapped(policy, "", ((name, value),))
    with pytest.raises(BandError, match=f"{sentence}, not {value}"):
        make_policy(recorded)
    swaps_to_the_default_one(recorded, f"{sentence}, not {value}")


def swaps_to_the_default_one(event: PolicySwapped, reason: str) -> None:
    driver = CoreDriver(whole("m", cpu=10))
    jobs = [driver.request("m") for _ in range(3)]
    driver.send(event)
    status = driver.core.status()
    assert (status.policy, status.requested) == ("shortest_expected_latency", event.name)
    assert (status.replaced, status.reason) == (True, reason)
    driver.finish_all()
    assert {driver.ended[job].outcome for job in jobs} == {JobOutcome.COMPLETED}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
@pytest.mark.parametrize("window", [0, -3])
def test_a_window_that_shows_no_job_or_hides_some_is_refused(path: Path, window: int) -> None:
    params: dict[str, Any] = {"models": {}} if path.stem == "static_plan" else {}
    with pytest.raises(BandError, match=f"'window' must be at least 1, not {window}"):
        policy_swapped(path.stem, {**params, "window": window}, parse=parse_params)
    given = tuple({**params, "window": window}.items())
    sentence = f"policy {path.stem}: 'window' must be at least 1, not {window}"
    swaps_to_the_default_one(PolicySwapped(path.stem, "", given), sentence)


def test_the_window_of_a_policy_that_declares_no_range_is_checked_too(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "mine", params="window: int = 4")
    for parse in (parse_params, None):
        with pytest.raises(BandError, match="'window' must be a whole number of at least 1"):
            policy_swapped(str(path), {"window": -3}, parse=parse)
    event = policy_swapped(str(path))._replace(params=(("window", 0),))
    reason = "policy mine: 'window' must be a whole number of at least 1, not 0"
    swaps_to_the_default_one(event, reason)
    write_policy(tmp_path, "mine", params="window: int = 0")
    with pytest.raises(BandError, match="at least 1, not 0"):
        policy_swapped(str(path), parse=parse_params)
