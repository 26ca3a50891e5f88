"""What always holds of the core's state between two events; every scheduler test checks it."""

from band.scheduler.slice_books import Place
from band.scheduler.state import CoreState, Job


class InvariantError(AssertionError):
    """The core's state contradicts itself: a bug of the core."""


def check_invariants(state: CoreState) -> None:
    """Check the whole state.

    Raises:
        InvariantError: the sentence says what is wrong.
    """
    _check_processors(state)
    for job in state.jobs.values():
        _check_job(state, job)
    _check_queue(state)
    _check_slices(state)
    unstarted = sum(not job.started for job in state.jobs.values())
    _require(unstarted == state.unstarted, f"{unstarted} unstarted jobs, not {state.unstarted}")


def _check_processors(state: CoreState) -> None:
    """One task a processor, none on a processor that is down, and no task without processor."""
    on_processors = {}
    for processor in state.processors.values():
        running = processor.running
        if running is not None:
            _require(processor.up, f"{processor.name} is down and runs task {running.task.id}")
            _require(
                running.task.processor == processor.index,
                f"task {running.task.id} runs on {processor.name}, not where it was sent",
            )
            on_processors[running.task.id] = running
    idle = {p.index: p for p in state.processors.values() if p.up and p.running is None}
    _require(idle == state.idle, f"processors {sorted(idle)} are idle, not {sorted(state.idle)}")
    up = [index for index, wait_us in enumerate(state.free_waits_us) if wait_us == 0]
    _require(set(up) == state.up(), f"processors {up} count as up")
    _require(on_processors == state.tasks, "the tasks and what processors run differ")
    for running in state.tasks.values():
        for job in running.jobs:
            _require(state.jobs.get(job.id) is job, f"task {running.task.id} serves an ended job")
            _require(running in job.tasks, f"job {job.id} does not know its task")


def _check_job(state: CoreState, job: Job) -> None:
    table = job.model.full
    _require(not job.finished & job.running, f"{job} has units both finished and running")
    _require(job.finished != table.all_units, f"{job} is finished and has not ended")
    _require(not (job.finished | job.running) & ~table.all_units, f"{job} has unknown units")
    units = 0
    for running in job.tasks:
        _require(state.tasks.get(running.task.id) is running, f"{job} has a task that ended")
        _require(not units & running.runnable.units, f"{job} has a unit in two tasks")
        units |= running.runnable.units
    _require(units == job.running, f"{job} has running units {job.running:b}, tasks {units:b}")
    finished = 0
    for done, _ in job.done:
        _require(not finished & done, f"{job} has finished a unit twice")
        finished |= done
    _require(finished == job.finished, f"{job} finished {finished:b} by its tasks")
    for unit, needs in enumerate(table.dependencies):
        begun = (job.finished | job.running) >> unit & 1
        _require(not (begun and needs & ~(job.finished | units)), f"{job} began unit {unit} early")
    _require(
        all(other.group == job.group and other.model is job.model for other in job.group),
        f"{job} disagrees with its group",
    )


def _check_queue(state: CoreState) -> None:
    """The queue is sorted and holds exactly the jobs with units that can run now."""
    waiting = [job for _, job in state.queue.entries]
    _require(
        [job.order for job in waiting] == sorted(job.order for job in waiting),
        "the queue is out of order",
    )
    runnable = {
        job.id
        for job in state.jobs.values()
        if job.leads
        and state.models.get(job.model.name) is job.model
        and job.model.plans.ready_units(job.finished, job.running)
    }
    _require({job.id for job in waiting} == runnable, "the queue and the runnable jobs differ")
    for job in waiting:
        _require(job.queued, f"{job} is in the queue and does not know it")
        _require(
            job.model.plans.can_finish(job.finished | job.running, job.pin),
            f"{job} waits and can never finish",
        )


def _check_slices(state: CoreState) -> None:
    """A slice is in one state, what runs stays loaded, and one slice is loaded at a time."""
    books = state.slices
    moving = (books.loading, books.leaving, books.orphans)
    places = [place for found in moving for place in found]
    _require(len(places) == len(set(places)), "a slice is coming and going at once")
    for place in (*books.leaving, *books.orphans):
        model = state.models.get(place.model)
        gone = model is None or place.span_id not in model.loaded
        _require(gone, f"{place} is used and is being evicted")
    for running in state.tasks.values():
        place = Place(*running.task.slice, running.task.processor)
        _require(place not in books.leaving, f"task {running.task.id} runs on an evicted slice")
    _require(len(books.loading) <= 1, "two slices are being loaded at once")
    for model in state.models.values():
        _require(model.loaded == model.load_bytes.keys(), f"{model.name} lost count of its bytes")
        spans = {s[:3] for s in model.table.spans}
        known = {s[:3] for s in model.full.spans}
        loaded = {key for key in model.loaded if key[2] in state.up()}
        _require(spans == loaded & known, f"the table of {model.name} is not what is loaded")


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise InvariantError(sentence)
