"""The JSON document of results."""

from typing import Any

from band.xrbench.batch import Outcome
from band.xrbench.hardware import hardware
from band.xrbench.result import CaseResult
from band.xrbench.scores import Scores


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return what became of a policy on a case; a refusal has ``error`` in place of scores."""
    head = {
        "setting": outcome.case.setting,
        "scenario": outcome.case.scenario,
        "policy": outcome.policy,
    }
    if outcome.error is not None:
        return {**head, "error": {"code": outcome.error.code, "message": outcome.error.message}}
    assert outcome.result is not None
    document = head | _result(outcome.result)
    if outcome.bound is not None:
        document["bound"] = round(outcome.bound.overall, 6)
        document["bound_proven"] = outcome.bound.proven
    return document


def _result(result: CaseResult) -> dict[str, Any]:
    kinds = hardware(result.case.setting.name)
    document: dict[str, Any] = {"mode": str(result.mode), "simulated": True}
    document |= scores_document(result.scores)
    if kinds is not None:
        document["accelerators"] = [kind._asdict() for kind in kinds]
    document["notes"] = list(result.notes)
    return document


def scores_document(scores: Scores) -> dict[str, Any]:
    """Return overall score and scores per model."""
    return {
        "overall": round(scores.overall, 6),
        "models": {
            name: {
                "realtime": round(model.realtime, 6),
                "energy": round(model.energy, 6),
                "qoe": round(model.qoe, 6),
                "accuracy": round(model.accuracy, 6),
                "completed": model.completed,
                "dropped": model.dropped,
                "on_time": model.on_time,
            }
            for name, model in scores.models.items()
        },
    }
