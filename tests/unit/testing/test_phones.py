"""The benchmark on emulated phones: its baselines are what they say, its limits hold."""

from pathlib import Path

import pytest
from phones import PAPER, Case, Figures, Measured, mean, measure, report, tables

from band.testing.policy_files import write_policy

CASE = Case("pixel4", 2.0, 0, 12, ("shortest_expected_latency",))


@pytest.fixture(scope="module")
def found() -> Measured:
    return measure(CASE)


def test_no_run_passes_the_limits(found: Measured) -> None:
    for one in (found.cpu, found.mapping, *found.policies.values()):
        assert 0 < one.fps <= found.limit.fps * 1.001
        assert 0 <= one.slo <= found.limit.slo <= 1


def test_the_best_mapping_is_one_of_all_and_the_cpu_another(found: Measured) -> None:
    # Each of the four models runs whole on the CPU, and all but one on the GPU too.
    assert found.mappings == 8
    assert found.mapping.fps >= found.cpu.fps
    assert found.mapping.slo >= found.cpu.slo
    assert found.offered_fps == pytest.approx(16, rel=0.05)


def test_energy_policies_go_by_latency_where_a_phone_tells_no_power() -> None:
    names = ("latency_greedy", "energy_greedy", "edp_greedy")
    policies = measure(CASE._replace(policies=names)).policies
    assert list(policies) == list(names)
    assert len(set(policies.values())) == 1


def test_a_policy_that_was_replaced_has_no_figures(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "failing", "raise ValueError('no plan')")
    with pytest.raises(RuntimeError, match="no plan"):
        measure(CASE._replace(policies=(str(path),)))


def test_the_mean_over_seeds_is_taken_figure_by_figure(found: Measured) -> None:
    other = found._replace(cpu=Figures(found.cpu.fps + 2, 0.0))
    assert mean([found, other]).cpu == Figures(found.cpu.fps + 1, found.cpu.slo / 2)
    assert mean([found, found]) == found


def test_tables_and_document_say_simulated_and_whose_figures_the_paper_s_are(
    found: Measured,
) -> None:
    text = "\n".join(tables({"pixel4": {2.0: found}}))
    assert text.count("simulated") == 2
    assert "| shortest_expected_latency |" in text
    document = report({"pixel4": {2.0: found}})
    assert document["simulated"] is True
    assert document["paper"] == PAPER
    assert "The paper's own" in PAPER
    limit = document["phones"]["pixel4"]["2"]["limit"]
    assert limit["slo"] == found.limit.slo
