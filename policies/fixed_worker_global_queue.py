"""Fixed worker, global queue: every model has one processor, and its jobs wait in one queue.

Formula:
    The processor of a job is the one its request is pinned to, else ``processors[model]``, else
    the first one that runs the whole model. Jobs wait in the core's queue, ordered by (class,
    arrival), until their processor is idle; then the first of them starts, whatever waits for
    other processors before it. A job whose processor cannot run it is dropped with no_processor;
    one that was begun elsewhere follows its best plan while its mapped processor cannot go on
    with it.

Parameters:
    processors: model name -> processor name, default none.
    window: jobs looked at, 1 or more, default 64: a job is passed over for one whose processor
        is idle only among these.

Good for a fixed mapping found offline under classes and deadlines: nothing is bound to its place
in a processor's own queue. Bad whenever the mapped processor is the busy one: nothing moves.

Source: Band, MobiSys 2022 (fixed_worker_global_queue, which aborts there as not implemented).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.scheduler.fixed import FixedMapping
from band.scheduler.policy import PolicyInfo


@dataclass(frozen=True)
class Params:
    """Parameters: ``processors`` by model, and ``window`` jobs are looked at."""

    processors: Mapping[str, str] = field(default_factory=dict)
    window: Annotated[int, Ge(1)] = 64


class FixedWorkerGlobalQueue(FixedMapping):
    """Runs each model on its own processor, from one queue."""

    info: ClassVar = PolicyInfo(
        name="fixed_worker_global_queue",
        aliases=("fixed_device_global_queue",),
        summary="every model runs on one fixed processor; a long queue of one holds up no other",
        source="Band, MobiSys 2022",
        uses_fallback=False,
        work_conserving=False,
    )
