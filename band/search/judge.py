"""Judges genomes on the flat simulator, each once per load."""

from collections.abc import Sequence

from band.errors import BandError, ErrorCode
from band.plan.table import PlanTable
from band.search.faster import flat_faster
from band.search.genome import Gene, Genome, planned_model
from band.search.objective import Fitness, Objective, fitness, keeps_real_time
from band.sim.flat import FlatRun, play
from band.sim.flat_plan import FlatModel, FlatPlan, compile_model
from band.sim.flat_trace import FlatTrace


class Judge:
    """Says how good genomes are.

    Args:
        trace: at its own pace; an attribute too.
        tables: of its models, with only those spans that are loaded.
        objective: what counts.

    Attributes:
        load: the trace is played so many times faster.
        plays: simulations so far.

    Raises:
        BandError: INVALID_REQUEST if the trace has nothing that the objective could count.
    """

    def __init__(self, trace: FlatTrace, tables: Sequence[PlanTable], objective: Objective) -> None:
        _check(trace, tables, objective)
        self.tables = tuple(tables)
        self.objective = objective
        self.load = 1.0
        self.plays = 0
        self.trace = trace
        self._played = trace
        self._genes: dict[tuple[int, Gene], tuple[FlatModel, float]] = {}
        self._known: dict[Genome, Fitness] = {}

    def set_load(self, load: float) -> None:
        """Play the trace faster from now on; what was judged before is forgotten."""
        if load != self.load:
            self.load = load
            self._played = flat_faster(self.trace, load)
            self._known.clear()

    def fitness(self, genome: Genome) -> Fitness:
        """Return how good a genome is at the load in force; greater is better."""
        known = self._known.get(genome)
        if known is None:
            run = self._play(genome, self._played)
            known = fitness(self.objective, self._played, run, self.energy_uj(genome))
            self._known[genome] = known
        return known

    def sustains(self, genome: Genome, load: float) -> bool:
        """Return whether a genome keeps real time at some load."""
        trace = flat_faster(self.trace, load)
        return keeps_real_time(trace, self._play(genome, trace))

    def energy_uj(self, genome: Genome) -> float:
        """Return the energy of all requests of the trace under a genome."""
        pairs = enumerate(genome.genes)
        return sum(self._compiled(place, gene)[1] for place, gene in pairs)

    def _play(self, genome: Genome, trace: FlatTrace) -> FlatRun:
        models = {
            table.model: self._compiled(place, gene)[0]
            for place, (table, gene) in enumerate(zip(self.tables, genome.genes, strict=True))
        }
        self.plays += 1
        return play(trace, FlatPlan(models, genome.edf))

    def _compiled(self, place: int, gene: Gene) -> tuple[FlatModel, float]:
        """Return a gene as the simulator wants it, and the energy of all requests of its model."""
        key = (place, gene)
        found = self._genes.get(key)
        if found is None:
            table = self.tables[place]
            planned = planned_model(gene.variants, gene.priority, table)
            count = self._count(table.model)
            found = (compile_model(planned, table), count * _energy_uj(gene, table))
            self._genes[key] = found
        return found

    def _count(self, model: str) -> int:
        names = self.trace.models
        if model not in names:
            return 0
        number = names.index(model)
        return sum(other == number for other in self.trace.model)


def _energy_uj(gene: Gene, table: PlanTable) -> float:
    """Return the mean energy of a request of a model."""
    total = weights = 0
    for chain, weight in gene.variants:
        spans = (table.find(*part) for part in chain)
        total += weight * sum(span.energy_uj for span in spans if span is not None)
        weights += weight
    return total / weights


def _check(trace: FlatTrace, tables: Sequence[PlanTable], objective: Objective) -> None:
    if not len(trace):
        raise BandError(
            ErrorCode.INVALID_REQUEST, "the trace has no requests; there is nothing to plan for"
        )
    deadlines = any(due is not None for due in trace.deadline_us)
    if objective in {Objective.SLO, Objective.LOAD} and not deadlines:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"no request of the trace has a deadline, so there is no {objective} to search for; "
            "use --objective latency or fps, or give the scenario deadlines",
        )
    if objective is Objective.ENERGY:
        _check_energy(tables)


def _check_energy(tables: Sequence[PlanTable]) -> None:
    """Refuse to compare energies of which some are not known: 0 would always be the least."""
    silent = sorted({t.processors[s.processor] for t in tables for s in t.spans if not s.energy_uj})
    if silent:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"the device does not tell the power of {', '.join(silent)}, so energies cannot be "
            "compared; give active_mw in a copy of the device file, or use another objective",
        )
