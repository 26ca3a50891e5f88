from band.replay.reports import intruders, lateness, overruns, replacement, replacements
from band.scheduler.options import PolicyReport
from band.sim.intrusions import Intrusions


def test_a_replaced_policy_is_named_with_time_and_reason() -> None:
    reports = (PolicyReport(policy="mine", reason="it raised KeyError: 3", at_us=2_500_000),)
    assert replacements(reports) == (
        "policy mine was replaced by the default one at 2.50 s: it raised KeyError: 3",
    )


def test_only_a_lateness_that_matters_is_told() -> None:
    assert lateness(5_000) == ()
    (sentence,) = lateness(12_300)
    assert "up to 12.3 ms late" in sentence


def test_what_ran_into_reserved_slots_is_told_if_there_are_any() -> None:
    assert intruders(None) == intruders(Intrusions(0, 0)) == ()
    (sentence,) = intruders(Intrusions(3, 45_000))
    assert sentence.startswith("3 tasks took longer than predicted and ran into reserved slots")
    assert sentence.endswith("by 45.0 ms together")


def test_overruns_are_told_with_their_sum() -> None:
    assert overruns(0, 0) == ()
    (sentence,) = overruns(45_000, 3)
    assert sentence.startswith("3 tasks overran their emulated time, by 45.0 ms together")


def test_a_policy_that_only_got_no_advice_was_not_replaced() -> None:
    unadvised = PolicyReport(policy="mine", reason="no time", at_us=1, replaced=False)
    replaced = PolicyReport(policy="mine", reason="no plan", at_us=2)
    assert replacement(()) is replacement((unadvised,)) is None
    assert replacement((unadvised, replaced)) == replacements((replaced,))[0]
