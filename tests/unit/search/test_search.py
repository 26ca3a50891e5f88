import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from band.config.params import parse_params
from band.config.policy import load_policy
from band.errors import BandError
from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded
from band.scheduler.loader import policy_swapped
from band.search.breeding import Breeder
from band.search.chains import Chains
from band.search.faster import faster, flat_faster
from band.search.flows import chain_flows
from band.search.genetic import SearchSettings
from band.search.genome import MAX_WEIGHT, gene, static_plan
from band.search.judge import Judge
from band.search.objective import Objective, highest_load, objective
from band.search.plan_file import plan_params, plan_text
from band.search.search import Found, rates_per_s, search, static_policy
from band.search.seeds import seeds
from band.search.under_core import SearchProblem, play_under_core
from band.sim.flat_plan import compile_plan
from band.sim.flat_trace import flatten
from band.testing.static_plans import random_trace
from band.testing.tables import make_device, make_table, random_table, whole
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

QUICK = SearchSettings(generations=6, population=12, patience=4, finalists=2)


def three_models(seed: int) -> list[PlanTable]:
    rng = random.Random(seed)
    return [random_table(rng, f"m{n}", rng.randint(1, 4), move_us=30) for n in range(3)]


def steady(model: str, period_us: int, count: int, deadline_us: int | None = None) -> Trace:
    """Return one request after another."""
    frames = tuple(
        Frame(
            at_us=n * period_us,
            stream=model,
            frame=n,
            nodes=(
                Node(
                    id="a",
                    model=model,
                    deadline_us=None if deadline_us is None else n * period_us + deadline_us,
                ),
            ),
        )
        for n in range(count)
    )
    header = Header(
        scenario="steady", seconds=count * period_us / 1e6, models=(TraceModel(name=model),)
    )
    return Trace(header=header, frames=frames)


def problem(tables: list[PlanTable], trace: Trace, noise_sigma: float = 0.0) -> SearchProblem:
    device = make_device(tables[0].processors, noise_sigma=noise_sigma)
    return SearchProblem(trace=trace, device=device, models=[ModelAdded(t) for t in tables])


def found(goal: Objective, seed: int = 0) -> Found:
    tables = three_models(1)
    trace = random_trace(
        random.Random(2), [t.model for t in tables], frames=30, mean_us=900, step_us=10
    )
    return search(problem(tables, trace), goal, replace(QUICK, seed=seed))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_bred_can_be_played(seed: int) -> None:
    tables = three_models(seed)
    rng = random.Random(seed)
    breeder = Breeder([Chains(t) for t in tables], rng)
    pool = [*seeds(breeder.chains, {t.model: 30.0 for t in tables}), breeder.draw()]
    for _ in range(60):
        pool.append(breeder.mutate(breeder.cross(rng.choice(pool), rng.choice(pool))))
        for g in pool[-1].genes:
            assert 1 <= len(g.variants) <= 4
            assert all(1 <= weight <= MAX_WEIGHT for _, weight in g.variants)
    for genome in pool:
        compile_plan(static_plan(genome, tables), tables)


def test_every_chain_of_a_table_is_listed_once_and_dead_ends_are_not() -> None:
    table = make_table("m", {"cpu": {(0, 0): 5, (1, 1): 5, (0, 1): 9}, "gpu": {(0, 0): 2}})
    listed = list(Chains(table).every())
    assert sorted(listed) == [
        ((0, 0, 0), (1, 1, 0)), ((0, 0, 1), (1, 1, 0)), ((0, 1, 0),),
    ]  # fmt: skip
    dead_end = make_table("m", {"cpu": {(0, 1): 9}, "gpu": {(0, 0): 2}})
    assert list(Chains(dead_end).every()) == [((0, 1, 0),)]


def test_weights_are_kept_in_lowest_terms() -> None:
    one, two = ((0, 0, 0),), ((0, 0, 1),)
    assert gene({two: 4, one: 2}).variants == ((one, 1), (two, 2))
    assert gene({one: 1_000, two: 1}).variants == ((one, MAX_WEIGHT), (two, 1))


def test_flows_share_a_model_between_processors_as_their_speeds_are() -> None:
    table = whole("m", cpu=2_000, gpu=1_000)
    (flow,) = chain_flows([table], {"m": 1_500.0})
    assert flow == {((0, 0, 1),): 8, ((0, 0, 0),): 4}
    (calm,) = chain_flows([table], {"m": 100.0}, utilisation=0.5)
    assert list(calm) == [((0, 0, 1),)]


def test_a_genome_that_shares_a_model_sustains_what_no_single_mapping_can() -> None:
    trace = steady("m", 1_000, 100, deadline_us=5_000)
    tables = [whole("m", cpu=1_000, gpu=1_000)]
    result = search(problem(tables, trace), Objective.LOAD, replace(QUICK, finalists=1))
    assert 1.9 < result.load < 2.3
    assert result.load == pytest.approx(result.core_load, rel=0.02)
    single = search(problem(tables, trace), Objective.LOAD, replace(QUICK, variants=1))
    assert 0.9 < single.load < 1.2


@pytest.mark.parametrize("goal", [Objective.SLO, Objective.LATENCY, Objective.FPS, Objective.LOAD])
def test_a_seed_gives_one_plan_and_the_core_agrees_where_nothing_is_noisy(goal: Objective) -> None:
    one, again = found(goal), found(goal)
    assert one == again
    if goal is not Objective.LOAD:
        assert one.flat == one.core
    assert one.plays > 12
    assert one.to_json()["objective"] == goal


def test_the_least_energy_is_looked_for_among_plans_in_real_time() -> None:
    cheap = whole("m", cpu=900, gpu=100)
    spans = tuple(s._replace(energy_uj=5 if s.processor == 0 else 50) for s in cheap.spans)
    tables = [replace(cheap, spans=spans)]
    slow = steady("m", 1_000, 50, deadline_us=1_000)
    fast = steady("m", 1_000, 50, deadline_us=200)
    calm = search(problem(tables, slow), Objective.ENERGY, QUICK)
    tight = search(problem(tables, fast), Objective.ENERGY, QUICK)
    assert [m.variants[0].steps[0].processor for m in calm.plan.models.values()] == ["cpu"]
    assert [m.variants[0].steps[0].processor for m in tight.plan.models.values()] == ["gpu"]
    assert (calm.flat[:3], tight.flat[:3]) == ((0.99, -250.0, 1.0), (0.99, -2500.0, 1.0))


def test_energy_under_the_core_is_that_of_the_tasks_that_ran() -> None:
    """The plan's is 50 times 9 uJ; with noise the device as it is takes another."""
    table = whole("m", cpu=900)
    tables = [replace(table, spans=tuple(s._replace(energy_uj=9) for s in table.spans))]
    trace = steady("m", 2_000, 50, deadline_us=2_000)
    for noise_sigma, least, most in ((0.0, 450.0, 450.0), (0.2, 400.0, 600.0)):
        asked = problem(tables, trace, noise_sigma)
        (cpu, *rest) = asked.device.processors
        device = replace(asked.device, processors=(replace(cpu, active_mw=10), *rest))
        result = search(replace(asked, device=device), Objective.ENERGY, QUICK)
        assert result.flat[1] == -450.0
        assert least <= -result.core[1] <= most
        assert (result.core[1] == -450.0) == (not noise_sigma)


def test_energies_are_not_compared_where_one_is_not_known() -> None:
    table = whole("m", cpu=900, gpu=100)
    spans = tuple(s._replace(energy_uj=5 if s.processor == 0 else 0) for s in table.spans)
    with pytest.raises(BandError, match="does not tell the power of gpu, so energies cannot"):
        Judge(flatten(steady("m", 10, 3)), [replace(table, spans=spans)], Objective.ENERGY)


def test_only_loaded_spans_are_planned_with() -> None:
    tables = [whole("m", cpu=900, gpu=100)]
    trace = steady("m", 2_000, 20, deadline_us=2_000)
    loaded = ModelAdded(tables[0], ((0, 0, 0),))
    limited = replace(problem(tables, trace), models=[loaded])
    result = search(limited, Objective.LATENCY, QUICK)
    assert result.plan.models["m"].variants[0].steps[0].processor == "cpu"
    assert result.flat == result.core


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (Objective.SLO, "no request of the trace has a deadline"),
        (Objective.LOAD, "no request of the trace has a deadline"),
        (Objective.ENERGY, "does not tell the power of cpu, so"),
    ],
)
def test_what_cannot_be_searched_for_is_said(goal: Objective, message: str) -> None:
    tables = [whole("m", cpu=5)]
    with pytest.raises(BandError, match=message):
        Judge(flatten(steady("m", 10, 3)), tables, goal)
    with pytest.raises(BandError, match="no requests"):
        Judge(flatten(steady("m", 10, 0)), tables, goal)


def test_unknown_objectives_and_models_are_refused() -> None:
    with pytest.raises(BandError, match="known: slo, fps, load, latency, energy"):
        objective("speed")
    with pytest.raises(BandError, match="'m', which is not registered"):
        search(problem([whole("x", cpu=5)], steady("m", 10, 3)), Objective.LATENCY, QUICK)


def test_a_plan_file_is_what_the_policy_takes(tmp_path: Path) -> None:
    plan = found(Objective.LATENCY).plan
    text = plan_text(plan, ["made by a test"])
    assert text.startswith("# made by a test\n")
    assert yaml.safe_load(text)["params"] == plan_params(plan)
    file = tmp_path / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    config = load_policy(file)
    assert config.name == "static_plan"
    assert config.params == plan_params(plan)
    static_policy(plan)


def test_playing_faster_is_the_same_flat_and_not() -> None:
    tables = three_models(3)
    trace = random_trace(random.Random(5), ["m0", "m1", "m2"], frames=25, mean_us=800)
    assert flat_faster(flatten(trace), 1.7) == flatten(faster(trace, 1.7))
    rates = rates_per_s(flatten(trace))
    assert set(rates) <= {"m0", "m1", "m2"}
    policy = static_policy(found(Objective.LATENCY).plan)
    played = play_under_core(problem(tables, trace, noise_sigma=0.1), policy, 1.7)
    assert len(played.trace) == len(played.run.finished_us)


@pytest.mark.parametrize("limit", [0.004, 0.9, 1.0, 3.7, 250.0])
def test_the_highest_load_is_found_from_any_guess(limit: float) -> None:
    for guess in (0.01, 1.0, 100.0):
        assert highest_load(lambda load: load <= limit, guess) == pytest.approx(limit, rel=0.006)
    assert highest_load(lambda load: False) == 0.0


def test_the_plan_in_the_guide_is_one_that_the_policy_takes() -> None:
    guide = Path(__file__).parents[3] / "docs" / "search.md"
    block = guide.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    document = yaml.safe_load(block)
    event = policy_swapped(document["name"], document["params"], parse=parse_params)
    plan = dict(event.params)["models"]
    assert isinstance(plan, dict)
    assert sorted(plan) == ["classifier"]
