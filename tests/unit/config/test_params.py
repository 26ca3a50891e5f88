"""Parameters of policies and backends: strict, complete, and named when they are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from band.config.params import parse_params
from band.errors import BandError, ErrorCode


@dataclass(frozen=True, slots=True)
class Params:
    window: int = 16
    share: float = 0.5
    drop: bool = True
    mode: Literal["fast", "fair"] = "fair"
    weights: tuple[float, ...] = ()
    processors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.window < 1:
            msg = f"window must be at least 1, not {self.window}"
            raise ValueError(msg)


@dataclass(frozen=True)
class Needed:
    target: str


def test_defaults_fill_what_is_not_given() -> None:
    assert parse_params(Params, {}, "here") == Params()


def test_values_arrive_with_their_types() -> None:
    raw = {"window": 4, "share": 1, "weights": [1, 2.5], "processors": {"m": "gpu"}, "mode": "fast"}
    found = parse_params(Params, raw, "here")
    assert found == Params(
        window=4, share=1.0, weights=(1.0, 2.5), processors={"m": "gpu"}, mode="fast"
    )
    assert type(found) is Params
    assert isinstance(found.weights, tuple)


def test_a_dataclass_keeps_its_own_methods_and_attributes() -> None:
    parse_params(Params, {}, "here")
    assert not hasattr(Params, "__pydantic_config__")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"windw": 4}, "unknown key 'windw'; did you mean 'window'?"),
        (
            {"q": 4},
            "unknown key 'q'; the keys are drop, mode, processors, share, weights, window",
        ),
        ({"window": "4"}, "'window' must be a whole number, not the text '4'"),
        ({"window": 4.5}, "'window' must be a whole number, not 4.5"),
        ({"window": True}, "'window' must be a whole number, not true"),
        ({"window": None}, "'window' must be a whole number, not empty"),
        ({"drop": 1}, "'drop' must be true or false, not 1"),
        ({"share": "x"}, "'share' must be a number, not the text 'x'"),
        ({"share": float("nan")}, "'share' must be a finite number, not nan"),
        ({"mode": "slow"}, "'mode' must be one of fast, fair, not the text 'slow'"),
        ({"weights": 3}, "'weights' must be a list, not 3"),
        ({"weights": [1, "b"]}, "'weights[1]' must be a number, not the text 'b'"),
        ({"processors": {"m": 1}}, "'processors.m' must be text, not 1"),
        ({"window": 0}, "window must be at least 1, not 0"),
        ({"window": "a", "x": 1}, "'window' must be a whole number, not the text 'a' (1 more"),
        ({"window": object()}, "Object of type object is not JSON serializable"),
    ],
)
def test_a_mistake_is_one_sentence_after_its_place(raw: dict[str, object], message: str) -> None:
    with pytest.raises(BandError) as caught:
        parse_params(Params, raw, "daemon.yaml:7")
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message.startswith(f"daemon.yaml:7: {message}")


def test_a_parameter_without_a_default_must_be_given() -> None:
    with pytest.raises(BandError, match="policy x: the key 'target' is missing"):
        parse_params(Needed, {}, "policy x")


def test_types_that_cannot_be_read_are_named() -> None:
    namespace: dict[str, object] = {}
    source = "@dataclass(frozen=True)\nclass Bad:\n    x: 'Nowhere' = 1\n"
    exec(source, {"dataclass": dataclass, "__name__": __name__}, namespace)
    bad = namespace["Bad"]
    assert isinstance(bad, type)
    with pytest.raises(BandError, match="the types of Bad cannot be read: name 'Nowhere'"):
        parse_params(bad, {}, "policy x")
