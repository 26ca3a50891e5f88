"""Which ops of a model a processor does not take, each with its reason.

A log of the exact file on a real device wins over the table of op types. Beyond the table, an op
is refused whose compute type has no cost coefficient: what cannot be charged cannot be planned.
"""

from collections.abc import Iterator

from band.device.cost import cost_refusal, op_dtype
from band.device.profile import OpRule, OptionLimit, Processor
from band.model.graph import Graph, Op, Tensor

_CUSTOM = "CUSTOM:"
_FILTER_INPUT = 1
_WIDTH_AXIS = 2


def refusals(processor: Processor, graph: Graph) -> dict[int, str]:
    """Return op -> reason for every op, weight ops included, that a processor does not take.

    Args:
        processor: any processor, available or not.
        graph: the whole model, with its shapes.
    """
    support = processor.support
    logs = [entry for entry in support.op_lists if entry.sha256 == graph.sha256]
    rules = None if support.rules is None else {rule.type: rule for rule in support.rules}
    found: dict[int, str] = {}
    for op in graph.ops:
        if logs:
            reason = next((log.reason for log in logs if op.index in log.unsupported), None)
        else:
            reason = _op_reason(processor, rules, graph, op)
        reason = reason or cost_refusal(processor, op_dtype(graph, op.index))
        if reason is not None:
            found[op.index] = reason
    if support.prefix_only and not logs:
        _cut_after_prefix(graph, found)
    return found


def _cut_after_prefix(graph: Graph, found: dict[int, str]) -> None:
    """Refuse every compute op that comes after the first refused one, in the file's order."""
    first = next((op for op in graph.compute_ops if op in found), None)
    if first is None:
        return
    reason = (
        f"after the first unsupported op {first} ({graph.ops[first].type}): "
        "this processor takes one prefix only"
    )
    for op in graph.compute_ops:
        if op > first:
            found.setdefault(op, reason)


def _op_reason(
    processor: Processor, rules: dict[str, OpRule] | None, graph: Graph, op: Op
) -> str | None:
    support = processor.support
    if op.type.startswith(_CUSTOM):
        name = op.type.removeprefix(_CUSTOM)
        if name not in support.custom_ops:
            return f"{processor.name} takes no custom op {name}"
        rule = OpRule(type=op.type)
    elif op.type in support.refused_ops or (rules is not None and op.type not in rules):
        return f"{processor.name} takes no {op.type}"
    else:
        rule = OpRule(type=op.type) if rules is None else rules[op.type]
    if rule.max_version is not None and op.version > rule.max_version:
        return f"{op.type} version {op.version} above the limit {rule.max_version}"
    return next(_limits(processor, rule, graph, op), None)


def _limits(processor: Processor, rule: OpRule, graph: Graph, op: Op) -> Iterator[str]:
    """Yield every limit that an op of a type that is taken breaks."""
    support = processor.support
    tensors = [graph.tensors[t] for t in (*graph.dynamic_inputs(op.index), *op.outputs)]
    dtypes = support.dtypes if rule.dtypes is None else rule.dtypes
    for tensor in tensors:
        if dtypes is not None and tensor.dtype not in dtypes:
            yield f"{tensor.dtype} tensor: {processor.name} takes {', '.join(dtypes)} only"
    max_rank = support.max_rank if rule.max_rank is None else rule.max_rank
    for tensor in tensors:
        yield from _shape_limits(tensor, max_rank, support.max_wide_dims, rule.max_size)
    if rule.kernel_widths is not None:
        yield from _kernel_limit(rule.kernel_widths, graph, op)
    for limit in rule.options:
        yield from _option_limit(limit, op)


def _shape_limits(
    tensor: Tensor, max_rank: int | None, max_wide_dims: int | None, max_size: int | None
) -> Iterator[str]:
    shape = tensor.shape
    if shape is None:
        if (max_rank, max_wide_dims, max_size) != (None, None, None):
            yield f"the shape of tensor {tensor.index} is not known before it runs"
        return
    if max_rank is not None and len(shape) > max_rank:
        yield f"rank {len(shape)} above the limit {max_rank}"
    wide = sum(1 for dim in shape if dim > 1)
    if max_wide_dims is not None and wide > max_wide_dims:
        yield f"{wide} dimensions larger than 1, above the limit {max_wide_dims}"
    size = max(shape[1:3], default=0)
    if max_size is not None and size > max_size:
        yield f"height or width {size} above the limit {max_size}"


def _kernel_limit(widths: tuple[int, ...], graph: Graph, op: Op) -> Iterator[str]:
    filters = op.inputs[_FILTER_INPUT] if len(op.inputs) > _FILTER_INPUT else -1
    shape = graph.tensors[filters].shape if filters >= 0 else None
    width = shape[_WIDTH_AXIS] if shape is not None and len(shape) > _WIDTH_AXIS else None
    if width not in widths:
        yield f"filter width {width or 'unknown'}: only {', '.join(map(str, widths))} is taken"


def _option_limit(limit: OptionLimit, op: Op) -> Iterator[str]:
    value = op.option(limit.name)
    if value is None:
        return
    if limit.maximum is not None and isinstance(value, int) and value > limit.maximum:
        yield f"{limit.name} {value} above the limit {limit.maximum}"
    if limit.allowed is not None and value not in limit.allowed:
        yield f"{limit.name} {value}: only {', '.join(map(str, limit.allowed))} is taken"
