"""``band xrbench``: the public XR benchmark on cost tables, simulated, with its upper bound."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from band.cli import xrbench_options as options
from band.cli.console import JsonOption, check_places, emit_json, err, out, print_table, write_text
from band.cli.xrbench_options import Given

if TYPE_CHECKING:
    from band.xrbench.batch import CaseName, Outcome, Play
    from band.xrbench.case import Case
    from band.xrbench.result import Bound, Mode

REFUSED_EXIT_CODE = 2


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def xrbench(
        *,
        costs: options.Costs = None,
        setting: options.Setting = None,
        scenario: options.Scenario = None,
        cases: options.Cases = None,
        policy: options.Policies = None,
        param: options.Params = None,
        salvage: options.Salvage = None,
        mode: options.ModeName = "correct",
        seed: options.Seed = 0,
        bound: options.WithBound = False,
        bound_seconds: options.BoundSeconds = 60.0,
        schedule: options.Schedule = None,
        summary: options.Summary = None,
        score: options.Score = None,
        json: JsonOption = None,
        policy_dir: options.PolicyDirs = None,
    ) -> None:
        """Play XRBench scenarios on a cost table under policies, and score them (simulated)."""
        given = options.Given(
            costs=costs,
            setting=setting,
            scenario=scenario,
            cases=cases,
            policies=tuple(policy or ()),
            params=(*(param or ()), *options.salvage_param(salvage)),
            policy_dirs=tuple(policy_dir or ()),
            mode=mode,
            seed=seed,
            bound=bound,
            bound_seconds=bound_seconds,
            schedule=schedule,
            summary=summary,
            json=json,
        )
        check_places(schedule, summary, json)
        if score is not None:
            _score(score, given)
        elif _refused(_play(given), given):
            raise typer.Exit(REFUSED_EXIT_CODE)


def _play(given: Given) -> "list[Outcome]":
    """Play everything that was asked for."""
    from band.xrbench.batch import play_all
    from band.xrbench.costs import load_costs

    if given.costs is None:
        raise _invalid("name a cost table with --costs FILE")
    table = load_costs(given.costs)
    cases = _cases(given)
    plays = _plays(given)
    if (given.schedule or given.summary) and len(cases) * len(plays) > 1:
        raise _invalid("--schedule and --summary take one case and one policy")
    outcomes = []
    with err.status("simulating") as status:
        for outcome in play_all(table, cases, plays, _bounds(given)):
            outcomes.append(outcome)
            status.update(f"simulated {len(outcomes)} of {len(cases) * len(plays)}")
    return outcomes


def _cases(given: Given) -> "tuple[CaseName, ...]":
    from band.xrbench.batch import CaseName, read_cases

    if given.cases is not None:
        if given.setting is not None or given.scenario is not None:
            raise _invalid("--cases names settings and scenarios; leave out the other two options")
        return read_cases(given.cases)
    if given.setting is None or given.scenario is None:
        raise _invalid("name a case with --setting S --scenario N, or several with --cases FILE")
    return (CaseName(given.setting, given.scenario),)


def _plays(given: Given) -> "list[tuple[str, Play]]":
    """Return how each policy is played in the mode."""
    from band.xrbench.result import Mode

    if not given.policies:
        raise _invalid("name a policy with --policy P; band policies lists them")
    if _mode(given) is Mode.COMPAT:
        from band.xrbench import compat

        if given.params:
            raise _invalid("compat mode's rules have no parameters; use --mode correct")
        for policy in given.policies:
            compat.check(policy)
        return [
            (policy, partial(compat.run, policy=policy, seed=given.seed))
            for policy in dict.fromkeys(given.policies)
        ]
    from band.cli.policy_params import with_params
    from band.replay.policies import choose_policies
    from band.xrbench import correct

    chosen, _ = choose_policies(given.policies, given.policy_dirs)
    if given.params:
        chosen = with_params(chosen, given.params, given.policy_dirs)
    return [
        (
            policy.name,
            partial(
                correct.run,
                policy=policy.swapped,
                seed=given.seed,
                policy_dirs=given.policy_dirs,
            ),
        )
        for policy in chosen
    ]


def _bounds(given: Given) -> "partial[Bound] | None":
    from band.xrbench.result import Mode

    if not given.bound:
        return None
    if _mode(given) is Mode.COMPAT:
        raise _invalid("the bound is that of correct mode; leave out --bound or --mode compat")
    from band.xrbench.bound import bound

    def find(case: "Case") -> "Bound":
        return bound(case, seed=given.seed, time_limit_s=given.bound_seconds)

    return partial(find)


def _mode(given: Given) -> "Mode":
    from band.config.suggestion import suggestion
    from band.xrbench.result import Mode

    if given.mode not in list(Mode):
        hint = suggestion(given.mode, Mode, noun="modes")
        raise _invalid(f"there is no mode '{given.mode}'; {hint}")
    return Mode(given.mode)


def _refused(outcomes: "Sequence[Outcome]", given: Given) -> bool:
    """Write results; return whether any of several cases was refused."""
    from band.xrbench.document import outcome_document

    alone = given.cases is None and len(outcomes) == 1
    if alone and outcomes[0].error is not None:
        raise outcomes[0].error
    _write_files(outcomes, given)
    documents = [outcome_document(outcome) for outcome in outcomes]
    if given.json is not None:
        emit_json(documents[0] if alone else {"cases": documents}, given.json)
    if given.json != "-":
        _show(outcomes, given.mode, alone=alone)
    told = dict.fromkeys(o.error.message for o in outcomes if o.error is not None)
    for message in told:
        err.print(f"error: {message}", markup=False)
    return bool(told)


def _write_files(outcomes: "Sequence[Outcome]", given: Given) -> None:
    from band.xrbench.schedule import schedule_csv, summary_csv

    result = outcomes[0].result
    if result is None:
        return
    if given.schedule is not None:
        write_text(given.schedule, schedule_csv(result.inferences))
    if given.summary is not None:
        write_text(given.summary, summary_csv(result.scores))


def _show(outcomes: "Sequence[Outcome]", mode: str, *, alone: bool) -> None:
    from band.cli.xrbench_view import case_table, grid_table

    print_table(case_table(outcomes[0]) if alone else grid_table(mode, outcomes))
    notes = (note for o in outcomes if o.result is not None for note in o.result.notes)
    for note in dict.fromkeys(notes):
        out.print(note, markup=False, soft_wrap=True)


def _score(path: Path, given: Given) -> None:
    """Score a schedule file."""
    from band.cli.xrbench_view import scores_table
    from band.xrbench.batch import find
    from band.xrbench.document import scores_document
    from band.xrbench.result import Mode
    from band.xrbench.schedule import maybe_running, read_schedule, score_schedule, summary_csv

    if given.scenario is None:
        raise _invalid("--score needs the scenario of the schedule: --scenario N")
    mode = _mode(given)
    scenario = find(given.scenario)
    inferences = read_schedule(path)
    scores = score_schedule(scenario, inferences, mode)
    unsure = maybe_running(scenario, inferences) if mode is Mode.COMPAT else ()
    if given.summary is not None:
        write_text(given.summary, summary_csv(scores))
    if given.json is not None:
        head = {"scenario": scenario.name, "mode": str(mode), "schedule": str(path)}
        emit_json(head | scores_document(scores) | {"maybe_running": list(unsure)}, given.json)
    if given.json != "-":
        print_table(scores_table(f"{scenario.name}, {path.name}, {mode} mode", scores))
    if unsure:
        err.print(
            f"counted as dropped, but may have run when the last frame arrived, which a schedule "
            f"does not tell and the release does not count: {', '.join(unsure)}",
            markup=False,
        )


def _invalid(message: str) -> Exception:
    from band.errors import BandError, ErrorCode

    return BandError(ErrorCode.INVALID_REQUEST, message)
