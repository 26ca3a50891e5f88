"""Small models with every way to store weights and every type that can cross a boundary."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from band.model.builder import GraphBuilder
from band.model.graph import Quantization
from band.model.model import Model
from band.model.tflite_schema import schema
from band.testing.edge_models import edited

_WIDE: Final = Quantization(scales=(1 / 4096,), zero_points=(0,), axis=0)


def shared_half_weights() -> Model:
    """Return three dense layers that read one float16 weight through one DEQUANTIZE."""
    b = GraphBuilder("shared_half_weights", seed=30, weights="float16")
    weights = b.float_constant(np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8), "weights")
    x = b.input("frame", (1, 8))
    for _ in range(3):
        x = b.layer("FULLY_CONNECTED", (x, weights, -1), (1, 8), fused_activation_function="RELU6")
    return b.build(x)


def sparse_weights() -> Model:
    """Return two dense layers whose weights hold one value a row: DENSIFY makes them whole."""
    b = GraphBuilder("sparse_weights", seed=31)
    x = b.input("frame", (1, 4))
    stored = []
    for number in range(2):
        values = np.array([1.5, -2.0, 0.25, 3.0 + number], dtype=np.float32)
        stored.append(b.packed(f"sparse_{number}", (4, 4), "float32", values.tobytes()))
        weights = b.tensor(f"weights_{number}", (4, 4))
        b.op("DENSIFY", (stored[-1],), (weights,))
        x = b.layer("FULLY_CONNECTED", (x, weights, -1), (1, 4), fused_activation_function="NONE")
        x = b.activation(x, "TANH")

    def mark(tree: Any) -> None:
        for tensor in stored:
            tree.subgraphs[0].tensors[tensor].sparsity = _one_value_a_row()

    return edited(b, (x,), mark)


def _one_value_a_row() -> Any:
    """Return the sparsity of a 4 x 4 matrix in CSR form with its values on the diagonal."""
    s = schema()

    def vector(values: list[int]) -> Any:
        return s.Int32VectorT(values=np.array(values, np.int32))

    kind = s.SparseIndexVector.Int32Vector
    dense = s.DimensionMetadataT(format=s.DimensionType.DENSE, denseSize=4)
    sparse = s.DimensionMetadataT(
        format=s.DimensionType.SPARSE_CSR,
        arraySegmentsType=kind, arraySegments=vector([0, 1, 2, 3, 4]),
        arrayIndicesType=kind, arrayIndices=vector([0, 1, 2, 3]),
    )  # fmt: skip
    return s.SparsityParametersT(
        traversalOrder=np.array([0, 1], np.int32), dimMetadata=[dense, sparse]
    )


def per_channel_int4() -> Model:
    """Return two int8 dense layers with int4 weights, two values in a byte."""
    b = GraphBuilder("per_channel_int4", seed=32)
    x = b.quantize(b.input("frame", (1, 8)))
    for number in range(2):
        packed = bytes((37 * i + 11 * number) % 256 for i in range(32))
        weights = b.packed(f"weights_{number}", (8, 8), "int4", packed, _per_row(0.1))
        bias = b.constant(f"bias_{number}", np.arange(8, dtype=np.int32), _per_row(0.005))
        x = b.layer(
            "FULLY_CONNECTED", (x, weights, bias), (1, 8), version=10,
            fused_activation_function="NONE",
        )  # fmt: skip
    return b.build(b.dequantize(x))


def block_wise_int4() -> Model:
    """Return two float dense layers with int4 weights, each with a tensor of float16 scales."""
    b = GraphBuilder("block_wise_int4", seed=33)
    x = b.input("frame", (1, 64))
    scales = {}
    for number in range(2):
        scale = np.linspace(0.05, 0.2 + number, 128, dtype=np.float16).reshape(64, 2)
        packed = bytes((37 * i + 11 * number) % 256 for i in range(32 * 64))
        weights = b.packed(f"weights_{number}", (64, 64), "int4", packed)
        scales[weights] = b.constant(f"scales_{number}", scale)
        x = b.layer(
            "FULLY_CONNECTED", (x, weights, -1), (1, 64), version=12,
            fused_activation_function="NONE",
        )  # fmt: skip
        x = b.activation(x, "TANH")

    def mark(tree: Any) -> None:
        for weights, scale in scales.items():
            tree.subgraphs[0].tensors[weights].quantization = schema().QuantizationParametersT(
                detailsType=schema().QuantizationDetails.BlockwiseQuantization,
                details=schema().BlockwiseQuantizationT(scales=scale, blockSize=32),
            )

    return edited(b, (x,), mark)


def wide_activations() -> Model:
    """Return two dense layers and an ADD with int16 activations and int8 weights."""
    b = GraphBuilder("wide_activations", seed=34)
    x = first = b.quantize(b.input("frame", (1, 8)), _WIDE, dtype="int16")
    for number in range(2):
        stored = np.arange(-32, 32, dtype=np.int8).reshape(8, 8)
        weights = b.constant(f"weights_{number}", stored, _per_tensor(0.02))
        bias = b.constant(f"bias_{number}", np.arange(8, dtype=np.int64), _per_tensor(0.02 / 4096))
        x = b.layer(
            "FULLY_CONNECTED", (x, weights, bias), (1, 8), scale=_WIDE, version=4,
            fused_activation_function="NONE",
        )  # fmt: skip
    total = b.layer("ADD", (x, first), (1, 8), scale=_WIDE, version=2, pot_scale_int16=False)
    return b.build(b.dequantize(total))


def boundaries_of_many_types() -> Model:
    """Return a chain of casts: every boundary has another type, bool and complex64 among them."""
    b = GraphBuilder("boundaries_of_many_types", seed=35)
    x = b.input("frame", (1, 8))
    for dtype in ("int64", "bool", "int32", "int16", "float64", "uint8", "complex64", "float32"):
        x = _cast(b, x, dtype)
    return b.build(x)


def types_that_numpy_lacks() -> Model:
    """Return a chain of casts through bfloat16, int4 and int2, which stay inside one slice each."""
    b = GraphBuilder("types_that_numpy_lacks", seed=37)
    x = b.input("frame", (1, 8))
    for dtype in ("bfloat16", "int4", "int2"):
        x = b.activation(_cast(b, _cast(b, x, dtype), "float32"), "TANH")
    return b.build(x)


def strings() -> Model:
    """Return two lookups in constant tables: from int64 to string, and from string to int64."""
    b = GraphBuilder("strings", seed=36)
    return b.build(b.activation(_cast(b, _looked_up(b, 2), "float32"), "TANH"))


def string_output() -> Model:
    """Return one lookup whose strings leave the model."""
    b = GraphBuilder("string_output", seed=38)
    return b.build(_looked_up(b, 1))


def _looked_up(b: GraphBuilder, count: int) -> int:
    """Return what the app's three int64 keys become in one or two tables that CALL_ONCE fills."""
    tables = (("int64", "string"), ("string", "int64"))[:count]
    x = b.input("keys", (3,), "int64")
    start = GraphBuilder("start")
    for table, kinds in enumerate(tables):
        handle = _table(start, table, kinds)
        names = string_bytes(["one", "two", "three"])
        columns = {
            "int64": start.constant(f"numbers_{table}", np.array([1, 2, 3], dtype=np.int64)),
            "string": start.packed(f"names_{table}", (3,), "string", names),
        }
        start.op("HASHTABLE_IMPORT", (handle, *(columns[kind] for kind in kinds)), ())
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(start))
    defaults = (
        b.packed("no_name", (1,), "string", string_bytes(["?"])),
        b.constant("no_number", np.array([-1], dtype=np.int64)),
    )
    for table, kinds in enumerate(tables):
        found = b.tensor(f"found_{table}", (3,), kinds[1])
        b.op("HASHTABLE_FIND", (_table(b, table, kinds), x, defaults[table]), (found,))
        x = found
    return x


def string_bytes(values: list[str]) -> bytes:
    """Return a string tensor's bytes: count, the offset of each and of the end, all characters."""
    encoded = [value.encode() for value in values]
    start = 4 * (len(values) + 2)
    ends = np.cumsum([start, *map(len, encoded)])
    head = np.array([len(values), *ends], dtype=np.int32)
    return head.tobytes() + b"".join(encoded)


def _table(b: GraphBuilder, table: int, kinds: tuple[str, str]) -> int:
    handle = b.tensor(f"table_{table}", (1,), "resource")
    key, value = (schema().TensorType.__dict__[kind.upper()] for kind in kinds)
    b.op("HASHTABLE", (), (handle,), table_id=table, key_dtype=key, value_dtype=value)
    return handle


def _cast(b: GraphBuilder, x: int, dtype: str) -> int:
    out = b.tensor(b.unique(dtype), b.shape(x), dtype)
    b.op("CAST", (x,), (out,), version=5)
    return out


def _per_row(scale: float) -> Quantization:
    return Quantization(scales=(scale,) * 8, zero_points=(0,) * 8, axis=0)


def _per_tensor(scale: float) -> Quantization:
    return Quantization(scales=(scale,), zero_points=(0,), axis=0)


TYPED: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            shared_half_weights, sparse_weights, per_channel_int4, block_wise_int4,
            wide_activations, boundaries_of_many_types, types_that_numpy_lacks, strings,
        )
    }
)  # fmt: skip
