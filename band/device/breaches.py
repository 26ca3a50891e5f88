"""Holds one op of a model against the limits of a processor and says which it breaks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from band.device.limits import Broadcast, Limits, Scheme, ValueLimit, named_limits
from band.model.graph import Graph, Op, OptionValue, Tensor

_FILTER_INPUT: Final = 1
_FILTER_RANK: Final = 4
_DIMENSIONS: Final[Mapping[str, int]] = {"batch": 0, "height": 1, "width": 2}
_FILTER_DIMENSIONS: Final[Mapping[str, int]] = {"filter_height": 1, "filter_width": 2}
_INDEX_DTYPES: Final = frozenset({"int32", "int64", "uint32", "uint64", "bool", "string"})


class Breach(NamedTuple):
    """One limit that an op breaks.

    Attributes:
        key: of the limit, as ``Limits.place`` knows it.
        sentence: names the value and the limit.
    """

    key: str
    sentence: str


class Operands(NamedTuple):
    """The tensors of one op, as limits see them."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]

    @property
    def data(self) -> tuple[Tensor, ...]:
        """Return the data tensors: inputs first."""
        return (*self.inputs, *self.outputs)


def breaches(limits: Limits, graph: Graph, op: Op, processor: str) -> Iterator[Breach]:
    """Yield every limit that an op breaks, in a fixed order.

    Args:
        limits: all that hold for its type.
        graph: the whole model, with its shapes.
        op: one of its ops.
        processor: the name to use in sentences.
    """
    tensors = _operands(graph, op)
    yield from _versions(limits, op)
    yield from _dtypes(limits, tensors, processor)
    yield from _ranks(limits, tensors)
    yield from _schemes(limits, tensors, processor)
    yield from _constness(limits, graph, op)
    if limits.broadcast is not None:
        yield from _broadcast(limits.broadcast, graph, op, processor)
    for key, limit in named_limits(limits):
        if key.startswith("options."):
            label, values = limit.name, [_Value(op.option(limit.name))]
        else:
            label = limit.name.replace("_", " ")
            values = list(_sizes(limit.name, graph, op, tensors))
        broken = (_broken(label, value, limit) for value in values)
        yield from (Breach(key, sentence) for sentence in broken if sentence)


def _operands(graph: Graph, op: Op) -> Operands:
    constants = [t for t in dict.fromkeys(op.inputs) if t >= 0 and graph.is_weight(t)]
    return Operands(
        tuple(graph.tensors[t] for t in graph.dynamic_inputs(op.index)),
        tuple(graph.tensors[t] for t in op.outputs),
        tuple(tensor for t in constants if _is_weight(tensor := graph.tensors[t])),
    )


def _is_weight(tensor: Tensor) -> bool:
    """Return whether a constant holds weights (a quantised int32 one is a bias), not indices."""
    return tensor.dtype not in _INDEX_DTYPES or tensor.quantization is not None


def _versions(limits: Limits, op: Op) -> Iterator[Breach]:
    low, high = limits.min_version, limits.max_version
    if low is not None and op.version < low:
        yield Breach("min_version", f"{op.type} version {op.version} below the limit {low}")
    if high is not None and op.version > high:
        yield Breach("max_version", f"{op.type} version {op.version} above the limit {high}")


def _dtypes(limits: Limits, tensors: Operands, processor: str) -> Iterator[Breach]:
    for key, noun, allowed, asked in (
        ("dtypes", "tensor", limits.dtypes, tensors.data),
        ("input_dtypes", "input", limits.input_dtypes, tensors.inputs),
        ("output_dtypes", "output", limits.output_dtypes, tensors.outputs),
        ("weight_dtypes", "weights", limits.weight_dtypes, tensors.weights),
    ):
        for tensor in asked:
            if allowed is not None and tensor.dtype not in allowed:
                what = f"{tensor.dtype} {noun}"
                yield Breach(key, f"{what}: {processor} takes {_listed(allowed)} only")


def _ranks(limits: Limits, tensors: Operands) -> Iterator[Breach]:
    low, high, wide = limits.min_rank, limits.max_rank, limits.max_wide_dims
    for tensor in tensors.data:
        shape = tensor.shape
        if shape is None:
            keys = [k for k in ("min_rank", "max_rank", "max_wide_dims") if getattr(limits, k)]
            yield from (Breach(key, _unknown_shape(tensor)) for key in keys[:1])
            continue
        if low is not None and len(shape) < low:
            yield Breach("min_rank", f"rank {len(shape)} below the limit {low}")
        if high is not None and len(shape) > high:
            yield Breach("max_rank", f"rank {len(shape)} above the limit {high}")
        count = sum(1 for dim in shape if dim > 1)
        if wide is not None and count > wide:
            sentence = f"{count} dimensions larger than 1, above the limit {wide}"
            yield Breach("max_wide_dims", sentence)


def _schemes(limits: Limits, tensors: Operands, processor: str) -> Iterator[Breach]:
    for key, noun, allowed, asked in (
        ("quantization", "tensor", limits.quantization, tensors.data),
        ("weight_quantization", "weights", limits.weight_quantization, tensors.weights),
    ):
        for tensor in asked:
            if allowed is not None and (scheme := _scheme(tensor)) not in allowed:
                yield Breach(
                    key,
                    f"{noun} {tensor.index} quantised {scheme}: {processor} takes "
                    f"{_listed(allowed)} only",
                )


def _scheme(tensor: Tensor) -> Scheme:
    if tensor.quantization is None:
        return Scheme.NONE
    return Scheme.PER_CHANNEL if len(tensor.quantization.scales) > 1 else Scheme.PER_TENSOR


def _constness(limits: Limits, graph: Graph, op: Op) -> Iterator[Breach]:
    for key, positions, wanted in (
        ("constant_inputs", limits.constant_inputs, True),
        ("computed_inputs", limits.computed_inputs, False),
    ):
        for position in positions or ():
            tensor = op.inputs[position] if position < len(op.inputs) else -1
            if tensor >= 0 and graph.is_weight(tensor) is not wanted:
                now, then = ("computed", "constant") if wanted else ("constant", "computed")
                yield Breach(key, f"input {position} is {now} and must be {then}")


def _broadcast(
    allowed: Sequence[Broadcast], graph: Graph, op: Op, processor: str
) -> Iterator[Breach]:
    output = graph.tensors[op.outputs[0]] if op.outputs else None
    for t in dict.fromkeys(t for t in op.inputs if t >= 0):
        tensor = graph.tensors[t]
        if tensor.shape is None or output is None or output.shape is None:
            yield Breach("broadcast", _unknown_shape(tensor))
            continue
        kind = _stretch(tensor.shape, output.shape)
        if kind not in allowed:
            yield Breach(
                "broadcast",
                f"input {_dims(tensor.shape)} stretched to {_dims(output.shape)} (broadcast "
                f"{kind}): {processor} takes {_listed(allowed)} only",
            )


def _stretch(shape: Sequence[int], target: Sequence[int]) -> Broadcast:
    bare = _without_leading_ones(shape)
    if bare == _without_leading_ones(target):
        return Broadcast.NONE
    if not bare:
        return Broadcast.SCALAR
    along_last = len(bare) == 1 and bool(target) and bare[0] == target[-1]
    return Broadcast.CHANNEL if along_last else Broadcast.GENERAL


def _without_leading_ones(shape: Sequence[int]) -> tuple[int, ...]:
    first = next((i for i, dim in enumerate(shape) if dim != 1), len(shape))
    return tuple(shape[first:])


class _Value(NamedTuple):
    """A number or word to hold against a limit; None when the op does not carry it.

    Attributes:
        problem: why it cannot be told; such a value breaks every limit.
    """

    value: OptionValue
    problem: str = ""


def _sizes(name: str, graph: Graph, op: Op, tensors: Operands) -> Iterator[_Value]:
    """Yield the values of a size that ``ANY_SIZES`` names; none where it has no meaning."""
    if name in _FILTER_DIMENSIONS:
        yield _filter_size(name, graph, op)
    elif name == "inputs":
        yield _Value(len(tensors.inputs))
    elif name == "weight_bytes":
        constants = {t for t in op.inputs if t >= 0 and graph.is_weight(t)}
        yield _Value(sum(graph.tensors[t].byte_size or 0 for t in constants))
    else:
        asked = tensors.data
        if name.endswith("_channels"):
            asked = (tensors.inputs if name == "input_channels" else tensors.outputs)[:1]
        yield from _tensor_sizes(name, asked)


def _tensor_sizes(name: str, tensors: Iterable[Tensor]) -> Iterator[_Value]:
    for tensor in tensors:
        shape = tensor.shape
        if shape is None or any(dim < 0 for dim in shape):
            yield _Value(None, _unknown_shape(tensor))
        elif name == "bytes":
            yield _Value(tensor.byte_size)
        elif name == "elements":
            count = 1
            for dim in shape:
                count *= dim
            yield _Value(count)
        elif name.endswith("_channels"):
            yield _Value(shape[-1] if shape else None)
        elif len(shape) == _FILTER_RANK:
            yield _Value(shape[_DIMENSIONS[name]])


def _filter_size(name: str, graph: Graph, op: Op) -> _Value:
    option = op.option(name)
    if option is not None:
        return _Value(option)
    filters = op.inputs[_FILTER_INPUT] if len(op.inputs) > _FILTER_INPUT else -1
    shape = graph.tensors[filters].shape if filters >= 0 else None
    if shape is None or len(shape) != _FILTER_RANK:
        return _Value(None, f"{name.replace('_', ' ')} unknown")
    return _Value(shape[_FILTER_DIMENSIONS[name]])


def _broken(label: str, found: _Value, limit: ValueLimit) -> str | None:
    value = found.value
    if value is None:
        return f"{found.problem}, and {label} is limited" if found.problem else None
    if limit.allowed is not None and value not in limit.allowed:
        return f"{label} {value}: only {_listed(limit.allowed)} is taken"
    if limit.refused is not None and value in limit.refused:
        return f"{label} {value} is not taken"
    return _out_of_range(label, value, limit) if isinstance(value, int | float) else None


def _out_of_range(label: str, value: float, limit: ValueLimit) -> str | None:
    if limit.maximum is not None and value > limit.maximum:
        return f"{label} {value} above the limit {limit.maximum}"
    if limit.minimum is not None and value < limit.minimum:
        return f"{label} {value} below the limit {limit.minimum}"
    if limit.multiple_of is not None and value % limit.multiple_of:
        return f"{label} {value} is no multiple of {limit.multiple_of}"
    return None


def _unknown_shape(tensor: Tensor) -> str:
    return f"the shape of tensor {tensor.index} is not known before it runs"


def _dims(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
