"""What else hangs on tensors and ops travels with them, and the parsed file is never changed."""

from typing import Any

import numpy as np

from band.model.atoms import atoms, is_stateful
from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.model.tflite_writer import write_slice, write_whole
from band.testing.models import STATE_NAME, chain
from band.testing.typed_models import block_wise_int4, strings

SHAPE = (1, 4)


def parsed(content: bytes | memoryview) -> Any:
    return schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))


def reread(tree: Any) -> Model:
    return read_model(pack(tree))


def branch(kind: str) -> GraphBuilder:
    b = GraphBuilder(kind)
    b.outputs = [b.activation(b.input("x", SHAPE), kind)]
    return b


def two_choices() -> Model:
    """Return two IF ops in a row: the first calls subgraphs 1 and 2, the second 3 and 4."""
    b = GraphBuilder("two_choices")
    condition, x = b.input("condition", (), "bool"), b.input("x", SHAPE)
    for kinds in (("RELU", "RELU6"), ("TANH", "HARD_SWISH")):
        then, other = (b.branch(branch(kind)) for kind in kinds)
        x = b.layer(
            "IF", (condition, x), SHAPE, like=x,
            then_subgraph_index=then, else_subgraph_index=other,
        )  # fmt: skip
    return b.build(x)


def test_sparsity_travels_with_its_tensor() -> None:
    tree = parsed(chain().content)
    weights = int(tree.subgraphs[0].operators[1].inputs[1])
    tensor = tree.subgraphs[0].tensors[weights]
    tensor.sparsity = schema().SparsityParametersT(
        traversalOrder=np.array([0, 1, 2, 3], np.int32),
        dimMetadata=[schema().DimensionMetadataT(denseSize=int(d)) for d in tensor.shape],
    )
    copied = parsed(write_slice(reread(tree), [1]).content).subgraphs[0]
    (sparse,) = (t for t in copied.tensors if t.sparsity is not None)
    assert sparse.name == tree.subgraphs[0].tensors[weights].name
    assert sparse.sparsity.traversalOrder.tolist() == [0, 1, 2, 3]


def test_intermediates_travel_with_their_op() -> None:
    tree = parsed(chain().content)
    main = tree.subgraphs[0]
    main.tensors.append(schema().TensorT(name="scratch", shape=np.array([1], np.int32)))
    main.operators[1].intermediates = np.array([len(main.tensors) - 1], np.int32)
    model = reread(tree)
    assert model.graph.ops[1].intermediates == (len(main.tensors) - 1,)
    copied = parsed(write_slice(model, [1]).content).subgraphs[0]
    (scratch,) = copied.operators[0].intermediates
    assert copied.tensors[scratch].name == b"scratch"


def test_a_later_choice_gets_its_own_branches_and_the_source_stays_as_it_was() -> None:
    model = two_choices()
    for _ in range(2):
        assert called_by(write_slice(model, [1])) == ["TANH", "HARD_SWISH"]
        assert called_by(write_slice(model, [0])) == ["RELU", "RELU6"]
    assert pack(parsed(write_whole(model).content)) == write_whole(model).content
    assert read_model(write_whole(model).content).graph.subgraph_count == 5


def called_by(part: Slice) -> list[str]:
    """Return the types of the ops that the subgraphs of a slice start with, in their order."""
    tree = parsed(part.content)
    options = tree.subgraphs[0].operators[0].builtinOptions
    assert [options.thenSubgraphIndex, options.elseSubgraphIndex] == [1, 2]
    assert len(tree.subgraphs) == 3
    return [s.name.decode() for s in tree.subgraphs[1:]]


def test_a_variable_used_in_a_branch_ties_the_choice_to_its_other_users() -> None:
    remember = GraphBuilder("remember")
    x = remember.input("x", SHAPE)
    handle = remember.tensor("handle", (), "resource")
    remember.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    remember.op("ASSIGN_VARIABLE", (handle, x), ())
    remember.outputs = [remember.activation(x)]
    b = GraphBuilder("m")
    condition, x = b.input("condition", (), "bool"), b.input("x", SHAPE)
    handle = b.tensor("handle", (), "resource")
    b.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    before = b.tensor("before", SHAPE)
    b.op("READ_VARIABLE", (handle,), (before,))
    free = b.activation(x)
    chosen = b.layer(
        "IF", (condition, free), SHAPE, like=x,
        then_subgraph_index=b.branch(remember), else_subgraph_index=b.branch(branch("RELU6")),
    )  # fmt: skip
    graph = b.build(b.add(chosen, before)).graph
    named = [[graph.ops[op].type for op in part] for part in atoms(graph)]
    assert named == [["RELU"], ["READ_VARIABLE", "IF"], ["ADD"]]


def test_scales_of_blocks_travel_and_are_named_anew() -> None:
    model = block_wise_int4()
    for part in atoms(model.graph):
        (main,) = parsed(write_slice(model, part).content).subgraphs
        for tensor in main.tensors:
            if tensor.quantization is not None and tensor.quantization.details is not None:
                scales = main.tensors[tensor.quantization.details.scales]
                assert scales.name == tensor.name.replace(b"weights", b"scales")
                assert scales.buffer > 0
    # The second layer's scales had another number in the whole model than in its slice.
    original: Any = model.tree
    numbers = [
        t.quantization.details.scales
        for t in original.subgraphs[0].tensors
        if t.quantization is not None and t.quantization.details is not None
    ]
    assert numbers[1] > len(parsed(write_slice(model, [2]).content).subgraphs[0].tensors)


def test_a_table_that_is_filled_while_running_is_state_and_a_constant_one_is_not() -> None:
    constant = strings().graph
    finds = [op for op in constant.ops if op.type == "HASHTABLE_FIND"]
    assert [op.resources for op in finds] == [(), ()]
    assert not is_stateful(constant)
    b = GraphBuilder("filled")
    keys = b.input("keys", (3,), "int64")
    values = b.input("values", (3,), "int64")
    handle = b.tensor("table", (1,), "resource")
    kinds = {"key_dtype": 4, "value_dtype": 4}
    b.op("HASHTABLE", (), (handle,), table_id=7, **kinds)
    b.op("HASHTABLE_IMPORT", (handle, keys, values), ())
    found = b.tensor("found", (3,), "int64")
    nothing = b.constant("nothing", np.array([-1], dtype=np.int64))
    b.op("HASHTABLE_FIND", (handle, keys, nothing), (found,))
    graph = b.build(found).graph
    assert is_stateful(graph)
    assert [len(part) for part in atoms(graph)] == [2]
