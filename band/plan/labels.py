"""The inner loop of a search: the earliest finish of each state, pruned, with the order of ties."""

from collections.abc import Sequence

from band.plan.hops import UNREACHABLE_US, Hop, Hops

Found = tuple[list[int], list[Hop], bool]
"""Per state the earliest finish and the hop it is reached by; whether the order of ties spoke."""


def labels(
    hops: Hops, start: int, waits_us: Sequence[int], longest_us: int, limit_us: int
) -> Found:
    """Return per state the earliest finish and the hop that it is reached by.

    Whoever wins a tie by being one hop long wins it whatever waits rise: what is left out of the
    third answer. A longer chain could lose it to one that a rising wait makes shorter.

    Args:
        hops: of the processors that may be used.
        start: state to begin from.
        waits_us: per processor.
        longest_us: the longest wait of a processor that may be used.
        limit_us: no best plan is later than this.
    """
    if hops.holders == 1:
        return _free_labels(hops, start, waits_us, longest_us, limit_us)
    last = hops.last_state
    leaving = hops.leaving
    finish = [UNREACHABLE_US] * (last + 1)
    finish[start] = 0
    parent: list[Hop] = hops.no_parents[:]
    tied = False
    for state in range(start, last):
        ready = finish[state]
        if ready >= limit_us:
            continue
        for bound, move, cost, processor, target, hop in leaving[state] or hops.make(state):
            if ready + bound > limit_us:
                break
            wait = waits_us[processor]
            begin = ready + move
            late = wait - begin if wait > begin else 0
            end = ready + bound + late
            if end > limit_us:
                continue
            done = begin + late + cost
            known = finish[target]
            if done < known:
                finish[target] = done
                parent[target] = hop
                if done >= longest_us or target == last:
                    limit_us = end
            elif done == known:
                if _precedes(hop, parent[target], parent, start):
                    parent[target] = hop
                tied = tied or parent[target].source != start
    return finish, parent, tied


def _free_labels(
    hops: Hops, start: int, waits_us: Sequence[int], longest_us: int, limit_us: int
) -> Found:
    """Return the same where transfers are free: without their terms a search is a seventh shorter.

    Here a hop that leaves a state early enough is bounded by ``ready`` or by its own wait alone.
    """
    last = hops.last_state
    leaving = hops.leaving
    finish = [UNREACHABLE_US] * (last + 1)
    finish[start] = 0
    parent: list[Hop] = hops.no_parents[:]
    tied = False
    for state in range(start, last):
        ready = finish[state]
        if ready >= limit_us:
            continue
        for bound, _, cost, processor, target, hop in leaving[state] or hops.make(state):
            wait = waits_us[processor]
            if wait <= ready:
                end = ready + bound
                if end > limit_us:
                    break
                done = ready + cost
            else:
                end = wait + bound
                if end > limit_us:
                    continue
                done = wait + cost
            known = finish[target]
            if done < known:
                finish[target] = done
                parent[target] = hop
                if done >= longest_us or target == last:
                    limit_us = end
            elif done == known:
                if _precedes(hop, parent[target], parent, start):
                    parent[target] = hop
                tied = tied or parent[target].source != start
    return finish, parent, tied


def _precedes(hop: Hop, other: Hop, parent: list[Hop], start: int) -> bool:
    """Return whether a chain that ends with ``hop`` comes before one that ends with ``other``."""
    return _order(_chain(parent, hop, start)) < _order(_chain(parent, other, start))


def _order(chain: Sequence[Hop]) -> tuple[int, list[tuple[int, int]]]:
    return len(chain), [(hop.processor, hop.span.last) for hop in chain]


def _chain(parent: list[Hop], hop: Hop, start: int) -> list[Hop]:
    """Return the hops from ``start`` to the end of ``hop``."""
    chain = [hop]
    while hop.source != start:
        hop = parent[hop.source]
        chain.append(hop)
    chain.reverse()
    return chain
