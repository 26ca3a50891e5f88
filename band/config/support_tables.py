"""Reads the support tables of a processor: written in place, in files of their own, or both."""

from collections.abc import Iterator

from band.config.op_lists import op_lists
from band.config.op_names import known_operator, unknown_operator
from band.config.schema import parse
from band.config.suggestion import suggestion
from band.config.support_schema import LimitsSchema, OpLimits, SupportSchema, ValueLimitSchema
from band.config.yaml_loader import Document, Location, load_yaml
from band.device.limits import ANY_SIZES, Limits, OpRule, Place, ValueLimit
from band.device.support_table import Support, merged
from band.model.tflite_schema import enum_names, option_enum, option_names

_SHORT_SIZES = {"max_size": ("height", "width"), "kernel_widths": ("filter_width",)}
_BY_NAME = ("sizes", "options")


def support_at(document: Document, at: Location) -> Support:
    """Return what a processor takes, as written at one location.

    What is written is a table, the name of a file that holds one, or a list of these, in which a
    later table is laid over the earlier ones.

    Raises:
        BandError: INVALID_CONFIG ``file:line`` for the first mistake, NOT_FOUND for a missing file.
    """
    written = document.part(at)
    if not isinstance(written, list):
        return _table(document, at, sourced=True)
    if not written:
        raise document.error(at, "the list of support tables is empty; leave 'support' out")
    return merged(_table(document, (*at, i), sourced=False) for i in range(len(written)))


def _table(document: Document, at: Location, *, sourced: bool) -> Support:
    named = document.part(at)
    if isinstance(named, str):
        path = document.path.parent / named
        if not path.is_file():
            raise document.error(at, f"there is no support file '{named}' beside this file")
        document, at, sourced = load_yaml(path), (), True
    written = parse(document, SupportSchema, at)
    if sourced and written.source is None:
        raise document.error(at, "the support table lacks the key 'source': where it comes from")
    for location, mistake in _mistakes(written, at):
        raise document.error(location, mistake)
    closed_by = "ops" if written.ops is not None else "others"
    places = []
    if getattr(written, closed_by) is not None:
        places.append(Place("ops", document.place((*at, closed_by))))
    places += [
        Place(op, document.place((*at, "refused_ops", i)))
        for i, op in enumerate(written.refused_ops)
    ]
    rules = None
    if written.ops is not None:
        rules = tuple(
            OpRule(type=kind, limits=_limits(document, limits or OpLimits(), (*at, "ops", kind)))
            for kind, limits in written.ops.items()
        )
    return Support(
        rules=rules,
        others=None if written.others is None else written.others == "taken",
        refused_ops=written.refused_ops,
        custom_ops=written.custom_ops,
        limits=_limits(document, written, at),
        prefix_only=written.prefix_only,
        op_lists=op_lists(document, (*at, "op_lists")) if written.op_lists is not None else (),
        source=" ".join((written.source or "").split()),
        places=tuple(places),
    )


def _limits(document: Document, written: LimitsSchema, at: Location) -> Limits:
    singles = {
        name: value
        for name in Limits.__dataclass_fields__
        if name not in _BY_NAME and (value := getattr(written, name, None)) is not None
    }
    sizes = {name: _value(name, limit) for name, limit in written.sizes.items()}
    places = [Place(name, document.place((*at, name))) for name in singles]
    options: dict[str, ValueLimit] = {}
    if isinstance(written, OpLimits):
        options = {name: _value(name, limit) for name, limit in written.options.items()}
        for short, limit in _short_sizes(written):
            sizes[limit.name] = limit
            places.append(Place(f"sizes.{limit.name}", document.place((*at, short))))
    for group in _BY_NAME:
        places += [
            Place(f"{group}.{name}", document.place((*at, group, name)))
            for name in getattr(written, group, {})
        ]
    return Limits(
        **singles,
        sizes=tuple(sizes.values()),
        options=tuple(options.values()),
        places=tuple(places),
    )


def _value(name: str, written: ValueLimitSchema) -> ValueLimit:
    return ValueLimit(
        name=name,
        minimum=written.minimum,
        maximum=written.maximum,
        allowed=written.allowed,
        refused=written.refused,
        multiple_of=written.multiple_of,
    )


def _short_sizes(written: OpLimits) -> Iterator[tuple[str, ValueLimit]]:
    """Yield the sizes that have a key of their own: (key, limit)."""
    if written.max_size is not None:
        for name in _SHORT_SIZES["max_size"]:
            yield "max_size", ValueLimit(name=name, maximum=written.max_size)
    if written.kernel_widths is not None:
        yield "kernel_widths", ValueLimit(name="filter_width", allowed=written.kernel_widths)


def _mistakes(written: SupportSchema, at: Location) -> Iterator[tuple[Location, str]]:
    """Yield what the types alone cannot tell."""
    named: list[tuple[Location, str]] = [((*at, "ops", op), op) for op in written.ops or ()]
    named += [((*at, "refused_ops", i), op) for i, op in enumerate(written.refused_ops)]
    for location, op in named:
        if not known_operator(op):
            yield location, unknown_operator(op)
    if written.ops is not None and written.refused_ops and written.others != "taken":
        yield (*at, "refused_ops"), "'refused_ops' has no meaning beside 'ops'; leave one out"
    both = {*(written.ops or ())} & {*written.refused_ops}
    for op in sorted(both):
        yield (*at, "refused_ops"), f"{op} is both in 'ops' and in 'refused_ops'"
    yield from _size_mistakes(written, at)
    for op, limits in (written.ops or {}).items():
        if limits is not None:
            yield from _size_mistakes(limits, (*at, "ops", op))
            yield from _option_mistakes(limits, (*at, "ops", op))


def _size_mistakes(written: LimitsSchema, at: Location) -> Iterator[tuple[Location, str]]:
    for name in written.sizes:
        if name not in ANY_SIZES:
            near = suggestion(name, ANY_SIZES, noun="sizes")
            yield (*at, "sizes", name), f"unknown size '{name}'; {near}"


def _option_mistakes(limits: OpLimits, at: Location) -> Iterator[tuple[Location, str]]:
    for name, limit in limits.options.items():
        location: Location = (*at, "options", name)
        if name not in option_names():
            near = suggestion(name, option_names(), noun="builtin options")
            yield location, f"unknown option '{name}'; {near}"
        enum = option_enum(name)
        if enum is None:
            continue
        known: set[object] = {*enum_names(enum).values()}
        for value in (*(limit.allowed or ()), *(limit.refused or ())):
            if value not in known:
                near = suggestion(str(value), map(str, known), noun=f"values of {name}")
                yield location, f"'{value}' is no value of {name}; {near}"
