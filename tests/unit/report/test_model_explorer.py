"""Node data for Model Explorer: the form that its web page and its Python package read.

``FIELDS`` is that form, taken from the dataclasses of ``node_data_builder`` in the package
ai-edge-model-explorer 0.1.34. Where the package is installed, it is asked itself.
"""

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from band.model.tflite_names import main_graph_name
from band.model.tflite_reader import read_model
from band.report.model_explorer import DataSet, data_sets
from band.testing import models
from band.testing.graphs import device_for
from band.testing.partitions import Case, explained

FIELDS: Final[dict[str, type]] = {
    "name": str,
    "results": dict,
    "gradient": list,
    "thresholds": list,
    "hideInAggregatedStatsTable": bool,
    "hideInChildrenStatsTable": bool,
    "showExpandedSummaryOnGroupNode": bool,
    "showLabelCountColumnsInChildrenStatsTable": bool,
}
RESULT: Final[dict[str, Any]] = {"value": (str, int, float), "bgColor": str, "textColor": str}
GRADIENT: Final[dict[str, Any]] = {"stop": (int, float), "bgColor": str, "textColor": str}


def _sets(case: Case, graph_id: str = "main") -> dict[str, dict[str, Any]]:
    found = data_sets(case.device, case.partition, case.explanation, graph_id)
    return {data.slug: json.loads(json.dumps(data.content))[graph_id] for data in found}


def _values(content: dict[str, Any]) -> dict[str, Any]:
    return {node: result["value"] for node, result in content["results"].items()}


def test_every_set_has_the_form_that_model_explorer_reads(small: Case) -> None:
    for content in _sets(small).values():
        assert content["results"]
        for key, value in content.items():
            assert isinstance(value, FIELDS[key])
        for node, result in content["results"].items():
            assert int(node) in small.explanation.order
            assert "value" in result
            assert all(isinstance(value, RESULT[key]) for key, value in result.items())
        for stop in content.get("gradient", ()):
            assert all(isinstance(value, GRADIENT[key]) for key, value in stop.items())


def test_the_sets_tell_plan_runner_up_times_takers_and_reasons(small: Case) -> None:
    found = _sets(small)
    assert list(found) == ["plan", "runner-up", "predicted-us", "takes", "why-not-gpu"]
    assert _values(found["plan"]) == {
        "0": "gpu", "1": "gpu", "2": "cpu0", "3": "gpu", "4": "gpu", "5": "gpu",
    }  # fmt: skip
    assert len({r["bgColor"] for r in found["plan"]["results"].values()}) == 2
    assert _values(found["runner-up"]) != _values(found["plan"])
    assert _values(found["takes"])["2"] == "cpu0"
    assert _values(found["takes"])["1"] == "cpu0, gpu"
    assert _values(found["why-not-gpu"]) == {"2": "refused by the test"}
    best = small.explanation.plans[0]
    times = {str(op): us for s in best.steps for op, us in zip(s.ops, s.op_us, strict=True)}
    assert _values(found["predicted-us"]) == times
    assert all("(emulated)" in content["name"] for content in found.values())


def test_a_model_without_a_plan_still_has_reasons(small: Case) -> None:
    nothing = replace(small.explanation, plans=())
    found = data_sets(small.device, small.partition, nothing, "main")
    assert [data.slug for data in found] == ["takes", "why-not-gpu"]


def test_the_graph_is_called_as_in_the_file() -> None:
    model = models.chain()
    assert main_graph_name(model) == main_graph_name(read_model(bytes(model.content)))
    assert main_graph_name(model)


def _as_the_package_writes_it(builder: Any, data: DataSet) -> dict[str, Any]:
    ((graph_id, content),) = data.content.items()
    parts = {
        **content,
        "results": {n: builder.NodeDataResult(**r) for n, r in content["results"].items()},
        "gradient": [builder.GradientItem(**g) for g in content.get("gradient", [])],
    }
    of_graph = builder.GraphNodeData(**parts)
    written = json.loads(builder.ModelNodeData({graph_id: of_graph}).to_json_string())
    return {key: value for key, value in written[graph_id].items() if value not in (False, [])}


def test_the_package_itself_writes_the_same(small: Case) -> None:
    builder = pytest.importorskip(
        "model_explorer.node_data_builder", reason="needs ai-edge-model-explorer"
    )
    for data in data_sets(small.device, small.partition, small.explanation, "main"):
        assert _as_the_package_writes_it(builder, data) == data.content["main"]


def test_node_ids_are_those_of_its_tflite_reader(tmp_path: Any) -> None:
    reader = pytest.importorskip(
        "model_explorer.builtin_tflite_flatbuffer_adapter", reason="needs ai-edge-model-explorer"
    )
    model = models.half_weights()
    path = tmp_path / "half.tflite"
    path.write_bytes(model.content)
    case = explained(model.graph, device_for(model.graph, {"cpu0": ()}))
    (collection,) = reader.BuiltinTfliteFlatbufferAdapter().convert(str(path), {})[
        "graphCollections"
    ]
    main = vars(collection.graphs[0]) if not isinstance(collection.graphs[0], dict) else {}
    main = main or collection.graphs[0]
    labels = {node["id"]: node["label"] for node in main["nodes"]}
    assert main["id"] == main_graph_name(model)
    for node in _sets(case, main["id"])["plan"]["results"]:
        assert labels[node].upper() == model.graph.ops[int(node)].type
