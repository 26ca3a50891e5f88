"""Measurements of a model correct the prices of its ops; ranges to measure cover it."""

from itertools import pairwise

import pytest

from band.device.fit import CostFit
from band.device.fit_design import sample_ranges
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.model.atoms import atoms
from band.testing import models

PLAIN = CostFit(prices=(("dispatch", 4.0), ("op", 50.0)), speed=1.0, samples=9)
TERMS = GraphTerms(models.chain().graph)
OPS = models.chain().graph.compute_ops


def test_without_measurements_prices_are_those_of_the_cost_model() -> None:
    prices = ModelPrices(PLAIN, TERMS, {})
    for ops in (OPS, OPS[:1], OPS[2:]):
        assert prices.part_us(ops) == pytest.approx(PLAIN.us(TERMS.part(ops)))


def test_measurements_move_prices_towards_what_was_measured() -> None:
    plain = ModelPrices(PLAIN, TERMS, {})
    parts = {OPS: 1.5, OPS[:2]: 1.5, OPS[2:]: 1.5}
    measured = {ops: factor * plain.part_us(ops) for ops, factor in parts.items()}
    prices = ModelPrices(PLAIN, TERMS, measured)
    for ops, us in measured.items():
        before, after = plain.part_us(ops) / us - 1, prices.part_us(ops) / us - 1
        assert abs(after) < abs(before)
    assert prices.part_us(OPS[:1]) > plain.part_us(OPS[:1])


def test_what_is_measured_twice_as_dear_as_everything_else_takes_the_blame() -> None:
    plain = ModelPrices(PLAIN, TERMS, {})
    slow = OPS[0]
    extra_us = plain.op_us[slow]
    measured = {
        ops: plain.part_us(ops) + (extra_us if slow in ops else 0)
        for ops in (OPS, OPS[:1], OPS[:2], OPS[1:], OPS[2:])
    }
    prices = ModelPrices(PLAIN, TERMS, measured)
    factors = {op: prices.op_us[op] / plain.op_us[op] for op in OPS}
    assert max(factors, key=lambda op: factors[op]) == slow


def test_wild_measurements_leave_prices_positive() -> None:
    prices = ModelPrices(PLAIN, TERMS, {OPS: 1.0, OPS[:2]: 1e9, OPS[2:]: 1.0})
    assert all(us > 0 for us in prices.op_us.values())


GRAPH = models.chain(convolutions=12).graph
EVEN = dict.fromkeys(GRAPH.compute_ops, 1.0)


def test_ranges_hold_the_whole_model_and_cover_it_in_pieces_of_two_sizes() -> None:
    ops = GRAPH.compute_ops
    ranges = sample_ranges(atoms(GRAPH), ops, EVEN, 11)
    assert ranges[0] == ops
    assert len(set(ranges)) == len(ranges) <= 11
    assert sorted(op for part in ranges for op in part) == sorted(3 * ops)
    assert all(list(part) == list(range(part[0], part[-1] + 1)) for part in ranges)


def test_pieces_are_of_about_equal_cost() -> None:
    dear = {op: 100.0 if op == 0 else 1.0 for op in GRAPH.compute_ops}
    ranges = sample_ranges(atoms(GRAPH), GRAPH.compute_ops, dear, 6)
    assert (0,) in ranges


def test_ops_that_a_processor_lacks_are_in_no_range() -> None:
    lacking = GRAPH.compute_ops[5]
    taken = [op for op in GRAPH.compute_ops if op != lacking]
    ranges = sample_ranges(atoms(GRAPH), taken, EVEN, 9)
    assert {op for part in ranges for op in part} == set(taken)
    assert not any(part[0] < lacking < part[-1] for part in ranges)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 40])
def test_any_number_of_ranges_may_be_asked_for(count: int) -> None:
    ranges = sample_ranges(atoms(GRAPH), GRAPH.compute_ops, EVEN, count)
    assert 1 <= len(ranges) <= count
    firsts = sorted(part[0] for part in ranges)
    assert all(a <= b for a, b in pairwise(firsts))


def test_no_op_taken_means_no_range() -> None:
    assert sample_ranges(atoms(GRAPH), (), EVEN, 9) == ()
