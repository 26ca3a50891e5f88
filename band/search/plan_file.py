"""The plan file: a policy YAML that names ``static_plan`` and holds the plan as its parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from band.plan.static import PlannedModel, StaticPlan


def plan_params(plan: StaticPlan) -> dict[str, Any]:
    """Return a plan as parameters of the policy ``static_plan``, in plain data."""
    return {
        "models": {name: _model(planned) for name, planned in plan.models.items()},
        "order": dict(plan.order),
    }


def plan_text(plan: StaticPlan, remarks: Sequence[str]) -> str:
    """Return the text of a plan file.

    Args:
        plan: what to write.
        remarks: sentences for its head, such as what was searched and how good it is.
    """
    head = "".join(f"# {remark}\n" for remark in remarks)
    document = {"name": "static_plan", "params": plan_params(plan)}
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


def _model(planned: PlannedModel) -> Mapping[str, Any]:
    variants = [
        {
            "weight": weight,
            "steps": [_Row(zip(("first", "last", "processor"), s, strict=True)) for s in steps],
        }
        for steps, weight in planned.variants
    ]
    found: dict[str, Any] = {"priority": planned.priority, "variants": variants}
    if planned.release_us:
        found["release_us"] = planned.release_us
    return found


class _Row(dict[str, Any]):
    """A mapping that stands on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes steps on one line each."""


def _on_one_line(dumper: _Dumper, row: _Row) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", row.items(), flow_style=True)


_Dumper.add_representer(_Row, _on_one_line)
