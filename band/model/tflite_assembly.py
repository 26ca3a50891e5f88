"""Puts a new model file together from pieces of a parsed one.

Tensors, buffers, operator codes and subgraphs are renumbered; the option, quantisation and
sparsity tables are shared with the parsed file and never changed.
"""

import copy
from typing import Any

import numpy as np

from band.model.model import Model
from band.model.tflite_schema import (
    PLACEHOLDER_CODE,
    VERSION,
    block_tensors,
    builtin_code,
    schema,
    subgraph_references,
)


class Assembly:
    """One file in the making.

    Args:
        model: the model that the pieces come from.
    """

    def __init__(self, model: Model) -> None:
        self._schema = schema()
        self._graph = model.graph
        self._source: Any = model.tree
        self._buffers = [self._schema.BufferT()]  # buffer 0 is the empty one
        self._buffer_numbers: dict[int, int] = {}
        self._codes: list[Any] = []
        self._code_numbers: dict[int, int] = {}
        self._subgraphs: list[Any] = []
        self._subgraph_numbers: dict[int, int] = {}
        self._main_numbers: dict[int, int] = {}

    def add_main(
        self, ops: tuple[int, ...], inputs: tuple[int, ...], outputs: tuple[int, ...]
    ) -> None:
        """Add the ops of the main subgraph, with the subgraphs that they call.

        Args:
            ops: op indices in execution order.
            inputs: original tensor ids.
            outputs: original tensor ids.
        """
        source = self._source.subgraphs[0]
        place = len(self._subgraphs)
        self._subgraphs.append(None)
        operators = [source.operators[op] for op in ops]
        used = {*inputs, *outputs, *(t for op in operators for t in _used(op))}
        used.update(s for t in tuple(used) for s in block_tensors(source.tensors[t]).values())
        number = {t: n for n, t in enumerate(sorted(used))}
        self._main_numbers = number
        written = self._schema.SubGraphT(name=source.name)
        written.tensors = [self._main_tensor(t, number) for t in number]
        written.inputs = _int32(number[t] for t in inputs)
        written.outputs = _int32(number[t] for t in outputs)
        written.operators = [self._operator(op, number) for op in operators]
        self._subgraphs[place] = written

    def tree(self, *, signatures: bool = False) -> Any:
        """Return the finished file as a ``ModelT``.

        Args:
            signatures: keep the named inputs and outputs of the main subgraph; for a whole model.
        """
        return self._schema.ModelT(
            version=VERSION,
            operatorCodes=self._codes,
            subgraphs=self._subgraphs,
            description=self._source.description,
            buffers=self._buffers,
            signatureDefs=self._signatures() if signatures else None,
        )

    def _signatures(self) -> list[Any] | None:
        """Return the signatures of the main subgraph with the tensor numbers of the new file."""
        found = [
            self._schema.SignatureDefT(
                inputs=self._tensor_map(signature.inputs),
                outputs=self._tensor_map(signature.outputs),
                signatureKey=signature.signatureKey,
                subgraphIndex=0,
            )
            for signature in _list(self._source.signatureDefs)
            if signature.subgraphIndex == 0
        ]
        return found or None

    def _tensor_map(self, entries: Any) -> list[Any]:
        return [
            self._schema.TensorMapT(name=e.name, tensorIndex=self._main_numbers[int(e.tensorIndex)])
            for e in _list(entries)
            if int(e.tensorIndex) in self._main_numbers
        ]

    def _called_subgraph(self, original: int) -> int:
        """Return the new number of a called subgraph, adding it whole on first use."""
        if original not in self._subgraph_numbers:
            source = self._source.subgraphs[original]
            place = len(self._subgraphs)
            self._subgraph_numbers[original] = place
            self._subgraphs.append(None)
            operators = _list(source.operators)
            tensors = _list(source.tensors)
            number = {t: t for t in range(len(tensors))}
            written = self._schema.SubGraphT(name=source.name)
            written.tensors = [self._tensor(t) for t in tensors]
            written.inputs = _int32(_list(source.inputs))
            written.outputs = _int32(_list(source.outputs))
            written.operators = [self._operator(op, number) for op in operators]
            self._subgraphs[place] = written
        return self._subgraph_numbers[original]

    def _main_tensor(self, tensor: int, number: dict[int, int]) -> Any:
        """Return a tensor of the main subgraph with the shape and the role that the graph says."""
        source = self._source.subgraphs[0].tensors[tensor]
        known = self._graph.tensors[tensor]
        written = self._tensor(source)
        if known.shape is not None:
            written.shape, written.shapeSignature, written.hasRank = _int32(known.shape), None, True
        if not known.constant:
            written.buffer = 0
        if blocks := block_tensors(source):
            written.quantization = copy.copy(source.quantization)
            written.quantization.details = copy.copy(source.quantization.details)
            for field, named in blocks.items():
                setattr(written.quantization.details, field, number[named])
        return written

    def _tensor(self, source: Any) -> Any:
        return self._schema.TensorT(
            shape=source.shape,
            type=source.type,
            buffer=self._buffer(int(source.buffer)),
            name=source.name,
            quantization=source.quantization,
            isVariable=source.isVariable,
            sparsity=source.sparsity,
            shapeSignature=source.shapeSignature,
            hasRank=source.hasRank,
            variantTensors=source.variantTensors,
        )

    def _buffer(self, original: int) -> int:
        data = self._source.buffers[original].data
        if original == 0 or data is None or len(data) == 0:
            return 0
        if original not in self._buffer_numbers:
            self._buffer_numbers[original] = len(self._buffers)
            self._buffers.append(self._schema.BufferT(data=data))
        return self._buffer_numbers[original]

    def _operator(self, source: Any, number: dict[int, int]) -> Any:
        return self._schema.OperatorT(
            opcodeIndex=self._code(int(source.opcodeIndex)),
            inputs=_remapped(source.inputs, number),
            outputs=_remapped(source.outputs, number),
            builtinOptionsType=source.builtinOptionsType,
            builtinOptions=self._options(source.builtinOptions),
            customOptions=source.customOptions,
            customOptionsFormat=source.customOptionsFormat,
            mutatingVariableInputs=source.mutatingVariableInputs,
            intermediates=(
                None if source.intermediates is None else _remapped(source.intermediates, number)
            ),
            builtinOptions2Type=source.builtinOptions2Type,
            builtinOptions2=self._options(source.builtinOptions2),
        )

    def _options(self, options: Any) -> Any:
        """Return an option table whose subgraph numbers are those of the new file."""
        references = subgraph_references(options)
        if not references:
            return options
        changed = copy.copy(options)
        for field, called in references.items():
            numbers = [self._called_subgraph(original) for original in called]
            is_list = not isinstance(getattr(options, field), int)
            setattr(changed, field, _int32(numbers) if is_list else numbers[0])
        return changed

    def _code(self, original: int) -> int:
        if original not in self._code_numbers:
            source = self._source.operatorCodes[original]
            code = builtin_code(source)
            self._code_numbers[original] = len(self._codes)
            self._codes.append(
                self._schema.OperatorCodeT(
                    builtinCode=code,
                    deprecatedBuiltinCode=min(code, PLACEHOLDER_CODE),
                    customCode=source.customCode,
                    version=source.version,
                )
            )
        return self._code_numbers[original]


def _used(op: Any) -> list[int]:
    parts = (op.inputs, op.outputs, op.intermediates)
    return [int(t) for part in parts if part is not None for t in part if t >= 0]


def _remapped(tensors: Any, number: dict[int, int]) -> Any:
    return _int32(number[int(t)] if t >= 0 else -1 for t in _list(tensors))


def _list(values: Any) -> Any:
    return [] if values is None else values


def _int32(values: Any) -> Any:
    return np.fromiter(values, dtype=np.int32)
