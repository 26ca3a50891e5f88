"""The typed graph IR of one TFLite model: tensors, operators, and who produces and reads what.

Everything here is immutable and independent of the file format; ``tflite_reader`` makes it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import networkx as nx

from band.model.atoms import smallest_parts

OptionValue = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | None

DTYPE_BYTES: Final[Mapping[str, float]] = {
    "float32": 4, "float16": 2, "bfloat16": 2, "float64": 8, "int4": 0.5, "uint4": 0.5,
    "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4,
    "int64": 8, "uint64": 8, "bool": 1, "complex64": 8, "complex128": 16, "int2": 0.25,
    "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip

# Ops that only name a resource or fill it before the first run: every slice that uses the
# resource carries its own copy of them.
SESSION_OPS: Final = frozenset({"VAR_HANDLE", "HASHTABLE", "CALL_ONCE"})
# Ops that must run exactly once per run even when all their inputs are constant.
_NEVER_COPIED: Final = frozenset(
    {
        "READ_VARIABLE", "ASSIGN_VARIABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
        "RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL", "STABLEHLO_RNG_BIT_GENERATOR",
        "IF", "WHILE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Affine quantisation: real = scale * (stored - zero_point), per tensor or per axis."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of the main subgraph.

    Attributes:
        index: its id in the original file; all wiring between slices uses these ids.
        shape: static shape, or None when it is not known before a run.
        dtype: lower-case name such as ``float32`` or ``int8``.
        constant: its buffer holds data (or it has no elements, and so needs none).
        variable: state that the interpreter keeps between runs.
        buffer_bytes: size of the constant data, 0 if there is none.
        signature: its shape with -1 for each dimension that the file leaves open; None if it
            leaves none open. The shape then says 1 there.
    """

    index: int
    name: str
    shape: tuple[int, ...] | None
    dtype: str
    constant: bool = False
    variable: bool = False
    buffer_bytes: int = 0
    quantization: Quantization | None = None
    signature: tuple[int, ...] | None = None

    @property
    def byte_size(self) -> int | None:
        """Return the bytes of one value; None without a static shape or a fixed item size."""
        item = DTYPE_BYTES.get(self.dtype)
        if self.shape is None or item is None or any(d < 0 for d in self.shape):
            return None
        count = 1
        for dim in self.shape:
            count *= dim
        return int(count * item + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operator of the main subgraph.

    Attributes:
        index: position in the file's execution order.
        type: builtin name such as ``CONV_2D``, or ``CUSTOM:<name>``.
        inputs: tensor ids; -1 marks an optional input that is absent.
        options: builtin options in snake_case, sorted by name.
        resources: names of the resource variables and tables that it reads or writes, directly or
            in a subgraph that it calls.
    """

    index: int
    type: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    options: tuple[tuple[str, OptionValue], ...] = ()
    resources: tuple[str, ...] = ()

    def option(self, name: str, default: OptionValue = None) -> OptionValue:
        """Return one builtin option, or the default when the op does not carry it."""
        return next((value for key, value in self.options if key == name), default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The main subgraph of a model.

    Attributes:
        name: the model's name (file stem unless given).
        sha256: of the file's bytes.
        producer: per tensor, the op that writes it, or -1.
        consumers: per tensor, the ops that read it, ascending.
        weight_ops: ops whose inputs are all constant or made by other weight ops (DEQUANTIZE of
            fp16 weights, DENSIFY of sparse ones), and ops that only name or initialise a resource
            (``SESSION_OPS``). They never form units: each slice that needs one carries its own
            copy. An op whose result leaves the model is never one of them.
        compute_ops: all other ops, ascending.
        weight_tensors: constants and all that weight ops make from them.
        atoms: see :func:`band.model.atoms.atoms`.
        atom_of: per op, the position of its atom; -1 for a weight op.
    """

    name: str
    sha256: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraph_count: int
    producer: tuple[int, ...]
    consumers: tuple[tuple[int, ...], ...]
    weight_ops: tuple[int, ...]
    compute_ops: tuple[int, ...]
    weight_tensors: frozenset[int] = frozenset()
    atoms: tuple[tuple[int, ...], ...] = ()
    atom_of: tuple[int, ...] = ()

    @classmethod
    def build(
        cls,
        *,
        name: str,
        sha256: str,
        tensors: Iterable[Tensor],
        ops: Iterable[Op],
        inputs: Iterable[int],
        outputs: Iterable[int],
        subgraph_count: int = 1,
    ) -> "Graph":
        """Return a graph with its derived tables filled in."""
        tensors, ops = tuple(tensors), tuple(ops)
        producer = [-1] * len(tensors)
        consumers: list[list[int]] = [[] for _ in tensors]
        for op in ops:
            for t in op.outputs:
                producer[t] = op.index
            for t in dict.fromkeys(op.inputs):
                if t >= 0:
                    consumers[t].append(op.index)
        outputs = tuple(outputs)
        weight_ops, weight_tensors = _weights(tensors, ops, frozenset(outputs))
        compute_ops = tuple(op.index for op in ops if op.index not in weight_ops)
        parts = smallest_parts(tensors, ops, producer, consumers, compute_ops)
        return cls(
            name=name,
            sha256=sha256,
            tensors=tensors,
            ops=ops,
            inputs=tuple(inputs),
            outputs=outputs,
            subgraph_count=subgraph_count,
            producer=tuple(producer),
            consumers=tuple(tuple(c) for c in consumers),
            weight_ops=tuple(sorted(weight_ops)),
            compute_ops=compute_ops,
            weight_tensors=frozenset(weight_tensors),
            atoms=parts,
            atom_of=_homes(parts, len(ops)),
        )

    def is_weight(self, tensor: int) -> bool:
        """Return whether a tensor is constant or made from constants alone by weight ops."""
        return tensor in self.weight_tensors

    def dynamic_inputs(self, op: int) -> tuple[int, ...]:
        """Return the inputs of an op that other ops or the model's inputs bring.

        Constants, variable tensors and absent inputs (-1) are left out.
        """
        return tuple(
            t
            for t in dict.fromkeys(self.ops[op].inputs)
            if t >= 0 and t not in self.weight_tensors and not self.tensors[t].variable
        )

    def networkx(self) -> "nx.DiGraph[int]":
        """Return the data-flow graph over all ops; node = op index with its ``type``."""
        view: nx.DiGraph[int] = nx.DiGraph(name=self.name)
        for op in self.ops:
            view.add_node(op.index, type=op.type)
        for tensor, source in enumerate(self.producer):
            if source >= 0:
                view.add_edges_from((source, c, {"tensor": tensor}) for c in self.consumers[tensor])
        return view


def fill_shapes(graph: Graph, shapes: Mapping[int, tuple[int, ...]]) -> Graph:
    """Return the graph with the static shapes of ``shapes`` (tensor id -> shape) filled in.

    The shape-filled whole model is the reference that slices are compared with: the runtime may
    take more of a shaped graph into XNNPACK than of the same graph without shapes.
    """
    return _reshaped(graph, {t: tuple(shape) for t, shape in shapes.items()})


def forget_shapes(graph: Graph, tensors: Collection[int]) -> Graph:
    """Return the graph in which the shapes of some computed tensors are not known."""
    return _reshaped(graph, dict.fromkeys(tensors)) if tensors else graph


def _reshaped(graph: Graph, shapes: Mapping[int, tuple[int, ...] | None]) -> Graph:
    tensors = tuple(
        replace(t, shape=shapes[t.index]) if t.index in shapes and not t.constant else t
        for t in graph.tensors
    )
    # A tensor whose shape was not known holds its readers and its maker together.
    parts = smallest_parts(tensors, graph.ops, graph.producer, graph.consumers, graph.compute_ops)
    return replace(graph, tensors=tensors, atoms=parts, atom_of=_homes(parts, len(graph.ops)))


def input_shapes(graph: Graph) -> dict[int, tuple[int, ...]]:
    """Return the shapes of the model's inputs, as far as they are known."""
    known = {t: graph.tensors[t].shape for t in graph.inputs}
    return {t: shape for t, shape in known.items() if shape is not None}


def missing_shapes(graph: Graph) -> tuple[int, ...]:
    """Return the tensors read or written by ops whose shape the file does not tell."""
    used = {t for op in graph.ops for t in (*op.inputs, *op.outputs) if t >= 0}
    return tuple(sorted(t for t in used if graph.tensors[t].shape is None))


def _homes(parts: tuple[tuple[int, ...], ...], op_count: int) -> tuple[int, ...]:
    """Return per op the position of its part, -1 for none."""
    home = [-1] * op_count
    for number, part in enumerate(parts):
        for op in part:
            home[op] = number
    return tuple(home)


def _weights(
    tensors: tuple[Tensor, ...], ops: tuple[Op, ...], outputs: frozenset[int]
) -> tuple[set[int], set[int]]:
    """Return the weight ops and the weight tensors."""
    weight_tensors = {t.index for t in tensors if t.constant}
    found: set[int] = set()
    for op in ops:
        if op.type in SESSION_OPS or (
            _may_be_copied(op)
            and outputs.isdisjoint(op.outputs)
            and any(t >= 0 for t in op.inputs)
            and all(t in weight_tensors for t in op.inputs if t >= 0)
        ):
            found.add(op.index)
            weight_tensors.update(op.outputs)
    return found, weight_tensors


def _may_be_copied(op: Op) -> bool:
    """Return whether running an op twice is the same as running it once."""
    return op.type not in _NEVER_COPIED and not op.type.startswith("CUSTOM:")
