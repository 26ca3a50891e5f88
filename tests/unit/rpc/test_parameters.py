"""Request parameters: the standard's, ours, and everybody else's."""

from typing import Any

import pytest

from band.errors import BandError, ErrorCode
from band.rpc import wire
from band.rpc.parameters import (
    MAX_DURATION_US,
    plain,
    read_parameters,
    write_parameters,
)
from band.runtime.requests import RequestParameters


def _request(**values: Any) -> wire.ModelInferRequest:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    request = wire.ModelInferRequest()
    for key, value in values.items():
        setattr(request.parameters[key], kinds[type(value)], value)
    return request


DEFAULTS: RequestParameters = {
    "priority": 0,
    "slo_us": None,
    "deadline_us": None,
    "timeout_us": None,
    "processor": None,
    "stream": "",
    "frame": None,
    "parents": (),
    "app": "",
    "supersede": False,
}


def test_a_request_without_parameters_has_the_defaults() -> None:
    assert read_parameters(_request().parameters) == DEFAULTS


def test_what_a_client_writes_is_what_the_daemon_reads() -> None:
    sent: RequestParameters = {
        "priority": 2,
        "slo_us": 50_000,
        "deadline_us": None,
        "timeout_us": 10_000,
        "processor": "gpu",
        "stream": "camera",
        "frame": 0,
        "parents": (7, 9),
        "app": "headset",
        "supersede": True,
    }
    request = wire.ModelInferRequest()
    write_parameters(request.parameters, sent)
    assert read_parameters(request.parameters) == sent


def test_an_unsigned_priority_is_read_too() -> None:
    request = wire.ModelInferRequest()
    request.parameters["priority"].uint64_param = 4
    assert read_parameters(request.parameters)["priority"] == 4


def test_a_timeout_of_0_is_none() -> None:
    assert read_parameters(_request(timeout=0).parameters)["timeout_us"] is None


def test_parameters_of_others_are_tolerated() -> None:
    request = _request(triton_enable_empty_final_response=True, my_tag="x", headers=1.5)
    assert read_parameters(request.parameters) == DEFAULTS
    assert plain(request.parameters)["my_tag"] == "x"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"priority": -1}, "'priority' is -1; it must lie between 0 and"),
        ({"priority": 2**31}, "'priority' is 2147483648"),
        ({"priority": "high"}, "'priority' must be an integer"),
        ({"priority": True}, "'priority' must be an integer"),
        ({"timeout": -5}, "'timeout' is -5"),
        ({"timeout": MAX_DURATION_US + 1}, "'timeout' is"),
        ({"band_slo_us": 0}, "'band_slo_us' is 0; it must lie between 1 and"),
        ({"band_slo_us": 1.5}, "'band_slo_us' must be an integer"),
        ({"band_processor": 3}, "'band_processor' must be a string"),
        ({"band_parents": "1,x"}, "'band_parents' is '1,x'"),
        ({"band_app": 3}, "'band_app' must be a string"),
        ({"band_supersede": "yes"}, "'band_supersede' must be true or false"),
        ({"band_slo_us": 5, "band_deadline_us": 9}, "not both"),
        ({"band_slo": 5}, "did you mean 'band_slo_us'?"),
    ],
)
def test_a_parameter_out_of_its_type_or_range_is_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(BandError) as caught:
        read_parameters(_request(**values).parameters)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert part in caught.value.message


def test_a_parameter_without_a_value_is_refused() -> None:
    request = wire.ModelInferRequest()
    request.parameters["priority"].SetInParent()
    with pytest.raises(BandError, match="must be an integer"):
        read_parameters(request.parameters)


@pytest.mark.parametrize("key", ["sequence_id", "shared_memory_region", "classification"])
def test_what_would_change_the_answer_is_refused_not_ignored(key: str) -> None:
    with pytest.raises(BandError) as caught:
        read_parameters(_request(**{key: 3}).parameters)
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE
