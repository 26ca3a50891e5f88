"""Fixed worker: every model always runs on the same processor.

Formula:
    The processor of a job is the one its request is pinned to, else ``processors[model]``, else
    the first one that runs the whole model. The job's remaining units run there in one task when
    such a slice is loaded, else in as few steps as the best plan on that processor alone takes.
    Jobs of one processor keep their order. A job whose processor cannot run it is dropped with
    no_processor; one that was begun elsewhere follows its best plan while its mapped processor
    cannot go on with it.

Parameters:
    processors: model name -> processor name, default none.
    window: jobs looked at, 1 or more, default 16.

Good for a fixed mapping found offline, and to know what one processor can do. Bad whenever the
mapped processor is the busy one: nothing moves.

Source: Band, MobiSys 2022 (fixed_worker; its model-to-worker map is never filled there).
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
    window: Annotated[int, Ge(1)] = 16


class FixedWorker(FixedMapping):
    """Runs each model on its own processor."""

    info: ClassVar = PolicyInfo(
        name="fixed_worker",
        aliases=("fixed_device",),
        summary="every model runs on one fixed processor",
        source="Band, MobiSys 2022",
        uses_fallback=False,
        work_conserving=False,
    )
