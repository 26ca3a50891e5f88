"""Cost models of processors that are alike, and predictions that never saw their subject."""

from dataclasses import replace

import pytest

from band.device.fit import Sample, fit_costs
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.runtime.learning import learn
from band.runtime.profiling import Measured
from band.testing import models

GRAPH = models.chain(convolutions=8).graph
TERMS = {GRAPH.sha256: GraphTerms(GRAPH)}
OPS = GRAPH.compute_ops


def _entry(ops: tuple[int, ...], us: int, processor: str = "cpu0", cpu: bool = True) -> Measured:
    return Measured(
        model=GRAPH.name,
        sha256=GRAPH.sha256,
        ops=ops,
        processor=processor,
        runtime="r",
        runtime_version="1",
        delegate="",
        threads=1,
        word="",
        runs=3,
        mean_us=2 * us,
        p95_us=3 * us,
        cpu_us=us if cpu else None,
    )


ENTRIES = [_entry(OPS[i:j], 40 * (j - i) + 10) for i, j in ((0, 8), (0, 4), (4, 8), (0, 2), (2, 4))]


def test_each_prediction_is_made_without_what_it_predicts() -> None:
    measured, (costs,) = learn(ENTRIES, TERMS, [("cpu0", "cpu1")])
    assert [replace(m, predicted_us=None) for m in measured] == ENTRIES
    assert (costs.processors, costs.basis, costs.fit.samples) == (("cpu0", "cpu1"), "cpu", 5)
    terms = TERMS[GRAPH.sha256]
    for held in measured:
        rest = {m.ops: float(m.cost_us) for m in ENTRIES if m.ops != held.ops}
        fit = fit_costs([Sample(terms=terms.part(ops), us=us) for ops, us in rest.items()])
        expected = ModelPrices(fit, terms, rest).part_us(held.ops)
        assert held.predicted_us == max(1, round(expected))


def test_a_twin_on_a_processor_that_is_alike_does_not_give_the_answer_away() -> None:
    twins = [*ENTRIES, _entry(OPS[0:8], 999_999, "cpu1")]
    measured, (costs,) = learn(twins, TERMS, [("cpu0", "cpu1")])
    assert costs.fit.samples == 5
    assert measured[0].predicted_us == measured[-1].predicted_us
    assert (measured[0].predicted_us or 0) < 10_000


def test_processors_that_are_not_alike_or_emulated_get_models_of_their_own_or_none() -> None:
    other = [replace(m, processor="gpu") for m in ENTRIES]
    measured, fits = learn([*ENTRIES, *other], TERMS, [("cpu0",), ("npu",)])
    assert [costs.processors for costs in fits] == [("cpu0",)]
    assert all(m.predicted_us is None for m in measured if m.processor == "gpu")


def test_without_processor_time_device_time_is_predicted() -> None:
    entries = [replace(m, cpu_us=None) for m in ENTRIES]
    measured, (costs,) = learn(entries, TERMS, [("cpu0",)])
    assert costs.basis == "device"
    assert measured[0].error == pytest.approx((measured[0].predicted_us or 0) / 660 - 1)


def test_too_few_measurements_make_no_cost_model() -> None:
    assert learn(ENTRIES[:2], TERMS, [("cpu0",)]) == (tuple(ENTRIES[:2]), ())
    measured, (costs,) = learn(ENTRIES[:3], TERMS, [("cpu0",)])
    assert costs.error_median is None
    assert all(m.predicted_us is None for m in measured)
