"""What the flat simulator keeps of one job."""

from band.sim.flat_plan import FlatChain


class FlatJob:
    """A request that has arrived and not ended.

    Attributes:
        keys: what orders its steps on a processor that picks by priority, and on one by deadline:
            (class, priority, arrival) or (class, deadline, priority, arrival), packed.
        started: a step of it has begun.
        offered, finished: masks of steps; those offered are queued, running or finished.
        fronts: (step, processor) of finished steps whose outputs are still there.
        taken: per running step the fronts that it took over.
    """

    __slots__ = (
        "chain", "dead", "finished", "fronts", "keys", "offered", "request", "started", "steps",
        "taken",
    )  # fmt: skip

    def __init__(self, request: int, chain: FlatChain, keys: tuple[int, int]) -> None:
        self.request = request
        self.steps, self.chain = chain
        self.keys = keys
        self.started = self.dead = False
        self.offered = self.finished = 0
        self.fronts: tuple[tuple[int, int], ...] = ()
        self.taken: dict[int, tuple[tuple[int, int], ...]] = {}
