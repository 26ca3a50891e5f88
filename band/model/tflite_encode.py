"""Encodes drafts as the bytes of a .tflite file."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.draft import Draft, OpSpec, TensorSpec
from band.model.graph import OptionValue, Quantization
from band.model.tflite_schema import (
    CUSTOM_PREFIX,
    PLACEHOLDER_CODE,
    VERSION,
    byte_view,
    enum_value,
    option_enum,
    pack,
    schema,
    snake_case,
)

# Op type -> option table of the schema, for the ops whose table is not named after them.
_TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "MAX_POOL_2D": "Pool2DOptions",
        "AVERAGE_POOL_2D": "Pool2DOptions",
        "MEAN": "ReducerOptions",
        "SUM": "ReducerOptions",
        "SVDF": "SVDFOptions",
        "MINIMUM": "MaximumMinimumOptions",
        "MAXIMUM": "MaximumMinimumOptions",
        "BATCH_MATMUL": "BatchMatMulOptions",
        "STABLEHLO_COMPOSITE": "StableHLOCompositeOptions",
        "LSTM": "LSTMOptions",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
        "RNN": "RNNOptions",
        "RANDOM_UNIFORM": "RandomOptions",
        "NON_MAX_SUPPRESSION_V4": "NonMaxSuppressionV4Options",
    }
)


def encode(drafts: Sequence[Draft]) -> bytes:
    """Return the file of a model; the same drafts always give the same bytes.

    Args:
        drafts: the subgraphs by number, the main one first.

    Raises:
        BandError: INVALID_MODEL if a draft uses an op, option or type that the schema lacks.
    """
    return pack(_Encoder(drafts).tree())


class _Encoder:
    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._schema = schema()
        self._drafts = drafts
        self._model = drafts[0].name
        self._buffers = [self._schema.BufferT()]
        self._codes: list[Any] = []
        self._code_numbers: dict[tuple[str, int], int] = {}

    def tree(self) -> Any:
        subgraphs = [self._subgraph(draft) for draft in self._drafts]
        return self._schema.ModelT(
            version=VERSION,
            operatorCodes=self._codes,
            subgraphs=subgraphs,
            description="band",
            buffers=self._buffers,
        )

    def _subgraph(self, draft: Draft) -> Any:
        return self._schema.SubGraphT(
            name=draft.name,
            tensors=[self._tensor(spec) for spec in draft.tensors],
            inputs=np.array(draft.inputs, dtype=np.int32),
            outputs=np.array(draft.outputs, dtype=np.int32),
            operators=[self._operator(spec) for spec in draft.ops],
        )

    def _tensor(self, spec: TensorSpec) -> Any:
        buffer = 0
        if spec.data is not None and spec.data.size:
            buffer = len(self._buffers)
            self._buffers.append(self._schema.BufferT(data=byte_view(spec.data)))
        is_open = any(d < 0 for d in spec.shape)
        return self._schema.TensorT(
            name=spec.name,
            # As converters do: 1 where a dimension is open, and a signature that says so.
            shape=np.array([1 if d < 0 else d for d in spec.shape], dtype=np.int32),
            shapeSignature=np.array(spec.shape, dtype=np.int32) if is_open else None,
            type=self._member("TensorType", spec.dtype.upper(), f"tensor type {spec.dtype!r}"),
            buffer=buffer,
            quantization=self._quantization(spec.quantization),
            isVariable=spec.variable,
            hasRank=True,
        )

    def _quantization(self, quantization: Quantization | None) -> Any:
        if quantization is None:
            return None
        return self._schema.QuantizationParametersT(
            scale=np.array(quantization.scales, dtype=np.float32),
            zeroPoint=np.array(quantization.zero_points, dtype=np.int64),
            quantizedDimension=quantization.axis,
        )

    def _operator(self, spec: OpSpec) -> Any:
        return self._schema.OperatorT(
            opcodeIndex=self._code(spec),
            inputs=np.array(spec.inputs, dtype=np.int32),
            outputs=np.array(spec.outputs, dtype=np.int32),
            **self._options(spec),
        )

    def _code(self, spec: OpSpec) -> int:
        key = (spec.type, spec.version)
        if key not in self._code_numbers:
            custom = spec.type.startswith(CUSTOM_PREFIX)
            builtin = "CUSTOM" if custom else spec.type
            code = self._member("BuiltinOperator", builtin, f"op {spec.type!r}")
            self._code_numbers[key] = len(self._codes)
            self._codes.append(
                self._schema.OperatorCodeT(
                    builtinCode=code,
                    deprecatedBuiltinCode=min(code, PLACEHOLDER_CODE),
                    customCode=spec.type.removeprefix(CUSTOM_PREFIX) if custom else None,
                    version=spec.version,
                )
            )
        return self._code_numbers[key]

    def _options(self, spec: OpSpec) -> dict[str, Any]:
        """Return the fields of an operator that hold its option table."""
        words = (w.capitalize() for w in spec.type.removeprefix(CUSTOM_PREFIX).split("_"))
        name = _TABLES.get(spec.type, "".join(words) + "Options")
        make = getattr(self._schema, name + "T", None)
        if make is None:
            if spec.options:
                raise self._invalid(f"options of op {spec.type!r}")
            return {}
        table = make()
        fields = {snake_case(field): field for field in vars(table)}
        for option, value in spec.options.items():
            if option not in fields:
                raise self._invalid(f"option {option!r} of op {spec.type!r}")
            setattr(table, fields[option], self._option(option, value))
        # Newer tables are in a second union.
        number = "" if hasattr(self._schema.BuiltinOptions, name) else "2"
        kind = enum_value(f"BuiltinOptions{number}", name)
        return {f"builtinOptions{number}Type": kind, f"builtinOptions{number}": table}

    def _option(self, option: str, value: OptionValue) -> Any:
        enum = option_enum(option)
        if enum is not None and isinstance(value, str):
            return self._member(enum, value, f"{option} {value!r}")
        if isinstance(value, tuple):
            return np.array(value, dtype=np.int32)
        return value

    def _member(self, enum: str, name: str, what: str) -> int:
        value = vars(getattr(self._schema, enum)).get(name)
        if not isinstance(value, int):
            raise self._invalid(what)
        return value

    def _invalid(self, what: str) -> BandError:
        msg = f"model {self._model!r} uses {what}, which the TFLite schema does not have"
        return BandError(ErrorCode.INVALID_MODEL, msg, model=self._model)
