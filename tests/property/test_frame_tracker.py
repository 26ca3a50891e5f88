"""Over random frames, outcomes and orders of completion, every request ends exactly once."""

import random

from hypothesis import given
from hypothesis import strategies as st

from band.scheduler.commands import JobOutcome
from band.trace.frames import FrameTracker
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

OUTCOMES = (*(JobOutcome.COMPLETED,) * 4, JobOutcome.DROPPED, JobOutcome.FAILED)


@st.composite
def frames(draw: st.DrawFn) -> tuple[Frame, ...]:
    made = []
    for number in range(draw(st.integers(1, 4))):
        nodes: list[Node] = []
        for i in range(draw(st.integers(1, 6))):
            earlier = [node.id for node in nodes]
            parents = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
            nodes.append(
                Node(id=f"n{i}", model="m", count=draw(st.integers(0, 3)), parents=tuple(parents))
            )
        made.append(Frame(at_us=number * 10, stream="s", frame=number, nodes=tuple(nodes)))
    return tuple(made)


def expected_to_run(frame: Frame, first: int, outcome: dict[int, JobOutcome]) -> set[int]:
    """Return the requests of a frame that are issued, straight from the rule.

    A node is released when all copies of its parents completed; a parent without copies stands
    for its own parents.
    """
    copies: dict[str, range] = {}
    for node in frame.nodes:
        copies[node.id] = range(first, first + node.count)
        first += node.count
    by_id = {node.id: node for node in frame.nodes}

    def released(node: Node) -> bool:
        return all(
            released(by_id[p]) and all(outcome[r] is JobOutcome.COMPLETED for r in copies[p])
            for p in node.parents
        )

    return {r for node in frame.nodes if released(node) for r in copies[node.id]}


@given(frames(), st.integers(0, 2**32))
def test_exactly_the_released_requests_run_and_all_others_are_dropped(
    made: tuple[Frame, ...], seed: int
) -> None:
    rng = random.Random(seed)
    total = sum(frame.requests for frame in made)
    outcome = {request: rng.choice(OUTCOMES) for request in range(total)}
    header = Header(scenario="t", seconds=1.0, models=(TraceModel(name="m"),))
    play = FrameTracker(Trace(header=header, frames=made))
    running = [arrival.request for arrival in play.roots()]
    ended: set[int] = set()
    while running:
        request = running.pop(rng.randrange(len(running)))
        assert request.request not in ended
        assert all(outcome[p] is JobOutcome.COMPLETED and p in ended for p in request.parents)
        ended.add(request.request)
        running += play.finished(request.request, outcome[request.request], len(ended))
    dropped = [record.request for record in play.never_issued()]
    assert sorted((*ended, *dropped)) == list(range(total))
    assert play.sent == total
    assert play.running == 0
    first = 0
    wanted: set[int] = set()
    for frame in made:
        wanted |= expected_to_run(frame, first, outcome)
        first += frame.requests
    assert ended == wanted
