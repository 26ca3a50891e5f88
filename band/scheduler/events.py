"""Everything that can happen to the scheduler core. Nothing else ever reaches it."""

from typing import NamedTuple

from band.plan.table import PlanTable
from band.plan.task import SliceKey

Json = None | bool | int | float | str | tuple["Json", ...] | list["Json"] | dict[str, "Json"]


class ModelAdded(NamedTuple):
    """A model was registered, or a known one got a table of a higher version.

    Attributes:
        table: all candidate spans.
        loaded: (first, last, processor) of the slices that are loaded now; None means all.
        fixed: nothing more of it is to be loaded and nothing evicted: it keeps state.
        slices_bytes: what all slices may take together from now on, as in SliceBudget; None
            leaves that as it was.
    """

    table: PlanTable
    loaded: tuple[tuple[int, int, int], ...] | None = None
    fixed: bool = False
    slices_bytes: int | None = None


class ModelRemoved(NamedTuple):
    """A model was unregistered; its waiting jobs end with the reason ``no_processor``."""

    model: str


class RequestArrived(NamedTuple):
    """An app asked for one execution of a model. The job has the request's id.

    Attributes:
        request: unique, chosen by the driver.
        stream, frame: which frame of which stream it belongs to, if any.
        parents: requests whose completion issued this one.
        priority: 1 is highest; 0 reads as the core's default priority.
        deadline_us: absolute; finishing later is late, not an error.
        expires_us: absolute; if the job has not started by then, it is dropped.
        processor: name of the processor it must run on, if the app pinned one.
        app: who asked, for quotas and fair shares; "" for an app that does not say.
        supersede: it makes a frame of the same stream and model that still waits obsolete.
    """

    request: int
    model: str
    stream: str = ""
    frame: int | None = None
    parents: tuple[int, ...] = ()
    priority: int = 0
    deadline_us: int | None = None
    expires_us: int | None = None
    processor: str | None = None
    app: str = ""
    supersede: bool = False


class TaskFinished(NamedTuple):
    """A worker finished a task.

    Attributes:
        run_us: execution time without transfers, as the estimator learns it.
        transfer_us: time spent bringing inputs from other processors.
    """

    task: int
    run_us: int
    transfer_us: int = 0


class TaskFailed(NamedTuple):
    """A worker could not finish a task; its jobs end as failed with this reason."""

    task: int
    reason: str


class SliceLoaded(NamedTuple):
    """A slice became loaded on a processor.

    Attributes:
        load_bytes: what it takes.
        cost_us: its execution time as measured after loading; None leaves the table's.
    """

    slice: SliceKey
    processor: int
    load_bytes: int
    cost_us: int | None = None


class SliceEvicted(NamedTuple):
    """A slice is no longer loaded on a processor, or could not be loaded when asked for."""

    slice: SliceKey
    processor: int


class SliceBudget(NamedTuple):
    """The memory that the slices of all models may take together, on all processors.

    It moves when boundary buffers grow and while a model is being registered. As long as none was
    given, the core neither loads nor evicts slices by itself.
    """

    slices_bytes: int


class WorkerUp(NamedTuple):
    """A processor can run tasks (again).

    Attributes:
        free_bytes: memory it has for slices.
        word: "emulated", "simulated" or "software" if its figures must carry that word, else "".
        cold_after_us: so long without a task, its next one runs cold; None if that is no matter.
    """

    processor: int
    name: str
    kind: str
    free_bytes: int
    word: str = ""
    cold_after_us: int | None = None


class WorkerDown(NamedTuple):
    """A processor cannot run tasks; the one it was running is lost and run again elsewhere."""

    processor: int
    reason: str


class Cancelled(NamedTuple):
    """The app no longer wants the request."""

    request: int


class PolicySwapped(NamedTuple):
    """A policy was put in force.

    Attributes:
        name: as the loader resolves it (a name, ``path.py`` or ``package:object``).
        sha256: of the policy's file, so that a replay can refuse another one.
        params: its validated parameters, sorted by name.
    """

    name: str
    sha256: str
    params: tuple[tuple[str, Json], ...] = ()


class PolicyOverran(NamedTuple):
    """The live driver measured that the policy exceeded its time budget."""

    name: str
    elapsed_us: int


class AdviceReady(NamedTuple):
    """The policy's ``advise`` has run off the hot path; the payload goes to the policy.

    Attributes:
        policy: name of the policy that was asked.
        payload: what ``advise`` returned; None if there is no advice.
        reason: why there is none, if something went wrong; else "".
    """

    policy: str
    payload: Json
    reason: str = ""


class StreamLoad(NamedTuple):
    """One source of requests: a model that a stream asks for again and again.

    Attributes:
        stream, model: whose requests.
        period_us: mean time from one request to the next.
        next_us: absolute time of the next one, as far as is known.
        deadline_us: from the arrival of the frame; None if its requests carry none.
        parents: models of the same stream and frame whose completion issues it; empty for a root.
        copies: mean number of requests a frame.
        priority, app: as in RequestArrived.
        frames: how many more frames come; None if nobody says.
        expires_us: from the arrival of the frame, as in RequestArrived; None without.
    """

    stream: str
    model: str
    period_us: int
    next_us: int
    deadline_us: int | None = None
    parents: tuple[str, ...] = ()
    copies: float = 1.0
    priority: int = 0
    app: str = ""
    frames: int | None = None
    expires_us: int | None = None


class StreamsDeclared(NamedTuple):
    """A driver knows what load is coming; it replaces what was declared before."""

    streams: tuple[StreamLoad, ...]


class Tick(NamedTuple):
    """The time asked for with ``WakeAt`` has come."""


Event = (
    ModelAdded
    | ModelRemoved
    | RequestArrived
    | TaskFinished
    | TaskFailed
    | SliceLoaded
    | SliceEvicted
    | SliceBudget
    | WorkerUp
    | WorkerDown
    | Cancelled
    | PolicySwapped
    | PolicyOverran
    | AdviceReady
    | StreamsDeclared
    | Tick
)
