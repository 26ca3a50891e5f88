"""Several support tables in one, and logs of exact files."""

from dataclasses import replace

from band.device.limits import Limits, OpRule, Place
from band.device.profile import Processor
from band.device.selection import Exclusion, Selection
from band.device.support import refusals
from band.device.support_table import ModelOpList, Support, merged
from band.model.graph import Graph
from band.testing.devices import make_processor
from band.testing.graphs import make_graph

GRAPH = make_graph([[0], [1], [2], [3]])  # four ADDs in a row
ADD = OpRule(type="ADD")


def with_table(*tables: Support) -> Processor:
    return replace(make_processor("gpu"), support=merged(tables))


def refused(*tables: Support, graph: Graph = GRAPH) -> dict[int, str]:
    return refusals(with_table(*tables), graph)


def log(*unsupported: int, **changes: object) -> ModelOpList:
    given: dict[str, object] = {"unsupported": unsupported, "reason": "logged", **changes}
    return ModelOpList(sha256=GRAPH.sha256, model="made", **given)  # type: ignore[arg-type]


def logs(*entries: ModelOpList) -> Support:
    return Support(op_lists=entries)


def test_no_table_takes_every_builtin_op() -> None:
    assert merged([]) == Support()
    assert refused() == {}


def test_a_later_table_gives_back_what_an_earlier_one_refuses() -> None:
    assert set(refused(Support(refused_ops=("ADD",)))) == {0, 1, 2, 3}
    assert refused(Support(refused_ops=("ADD",)), Support(rules=(ADD,))) == {}


def test_a_later_table_refuses_what_an_earlier_one_takes_and_its_place_is_shown() -> None:
    over = Support(refused_ops=("ADD",), places=(Place("ADD", "over.yaml:7"),))
    found = refused(Support(rules=(ADD, OpRule(type="MEAN"))), over)
    assert set(found.values()) == {"gpu takes no ADD (over.yaml:7)"}


def test_a_later_table_with_ops_adds_to_an_earlier_list() -> None:
    base = Support(rules=(OpRule(type="MEAN"),), places=(Place("ops", "base.yaml:3"),))
    assert set(refused(base).values()) == {"gpu takes no ADD (base.yaml:3)"}
    assert refused(base, Support(rules=(ADD,))) == {}


def test_ops_close_a_table_unless_others_are_taken() -> None:
    mean = Support(rules=(OpRule(type="MEAN"),))
    assert set(refused(Support(source="all"), mean)) == {0, 1, 2, 3}
    assert refused(Support(others=True), mean) == {}
    assert set(refused(Support(others=True), mean, Support(others=False))) == {0, 1, 2, 3}


def test_limits_of_all_ops_hold_where_the_rule_says_nothing_of_them() -> None:
    base = Support(limits=Limits(max_rank=0, places=(Place("max_rank", "base.yaml:2"),)))
    assert set(refused(base).values()) == {"rank 1 above the limit 0 (base.yaml:2)"}
    assert set(refused(base, Support(rules=(ADD,)))) == {0, 1, 2, 3}
    assert refused(base, Support(rules=(OpRule(type="ADD", limits=Limits(max_rank=1)),))) == {}
    assert refused(base, Support(limits=Limits(max_rank=1))) == {}


def test_the_prefix_rule_can_be_laid_on_and_lifted() -> None:
    broken = OpRule(type="ADD", limits=Limits(max_rank=0))
    first = Support(rules=(broken,), prefix_only=True)
    assert len(refused(first)) == 4
    assert merged([first, Support()]).prefix_only is True
    assert merged([first, Support(prefix_only=False)]).prefix_only is False


def test_a_log_that_names_refused_ops_takes_the_others() -> None:
    assert refused(Support(refused_ops=("ADD",)), logs(log(1))) == {1: "logged"}


def test_a_log_that_names_taken_ops_refuses_the_others() -> None:
    taken = log(taken=(0, 2), others=False, at="phone.csv")
    assert refused(logs(taken)) == {1: "logged (phone.csv)", 3: "logged (phone.csv)"}


def test_a_log_that_names_both_leaves_the_others_to_the_table() -> None:
    both = log(0, taken=(1,), others=None)
    found = refused(Support(refused_ops=("ADD",)), logs(both))
    assert found == {0: "logged", 2: "gpu takes no ADD", 3: "gpu takes no ADD"}


def test_a_log_may_name_types() -> None:
    assert refused(logs(log(types=("MEAN",)))) == {}
    assert set(refused(logs(log(types=("ADD",))))) == {0, 1, 2, 3}


def test_logs_of_one_file_count_together_and_the_later_one_wins() -> None:
    assert refused(logs(log(0)), logs(log(1, reason="again"))) == {0: "logged", 1: "again"}
    assert refused(logs(log(0)), logs(log(taken=(0,), others=None))) == {}
    assert refused(logs(log(taken=(0,), others=None)), logs(log(0))) == {0: "logged"}


def test_a_log_of_another_file_says_nothing() -> None:
    other = ModelOpList(sha256="y", model="other", unsupported=(0,), reason="logged")
    assert refused(logs(other)) == {}


def test_an_exclusion_wins_over_a_log_and_names_its_rule() -> None:
    rule = Exclusion(selection=Selection(ranges=((1, 2),)), reason="excluded by rule r.yaml:3")
    taken = log(taken=(1,), others=False)
    found = refused(logs(taken), Support(exclusions=(rule,)))
    assert found[1] == found[2] == "excluded by rule r.yaml:3"
    assert found[0] == "logged"


def test_sources_are_listed_in_order() -> None:
    tables = (Support(source="a"), Support(), Support(source="b"))
    assert merged(tables).source == "a; b"
