"""The verifier's own copy of the schema and of the op table cannot drift from the interpreter's."""

import inspect
import itertools
import re
from functools import cache

import pytest

from band.model.tflite_schema import enum_names, schema, snake_case
from band.model.tflite_verify_arity import arities
from band.model.tflite_verify_facts import DTYPES
from band.model.tflite_verify_schema import (
    WIDTHS,
    Field,
    table_names,
    table_schema,
    union_members,
)

SCALARS = {
    "Bool": "u8", "Byte": "u8", "Uint8": "u8", "Int8": "i8", "Int16": "i16", "Uint16": "u16",
    "Int32": "i32", "Uint32": "u32", "Int64": "i64", "Uint64": "u64", "Float32": "f32",
}  # fmt: skip
UNIONS = ("BuiltinOptions", "BuiltinOptions2", "QuantizationDetails", "SparseIndexVector")


@cache
def sources() -> dict[str, str]:
    """Return table name -> its part of the generated module, writer functions included."""
    parts = re.split(r"\nclass (?=\w)", inspect.getsource(schema()))[1:]
    tables = (p for p in parts if "__slots__ = ['_tab']" in p)
    return {re.match(r"\w+", part).group(): part for part in tables}  # type: ignore[union-attr]  # always a name


def generated_fields(name: str) -> list[Field]:
    """Return the fields of one table as the generated module reads and writes them."""
    code = sources()[name]
    slots = re.search(r"StartObject\((\d+)\)", code)
    assert slots is not None
    fields = [Field("", "retired", "", 0)] * int(slots.group(1))
    pattern = (
        rf"def {name}Add(\w+)\(builder, \w+\):\s*builder\.Prepend(\w+)Slot\((\d+), .*, (\S+)\)\n"
    )
    for accessor, kind, slot, default in re.findall(pattern, code):
        field = snake_case(accessor)
        if kind in SCALARS:
            made = Field(field, "scalar", SCALARS[kind], int(float(default)))
        else:
            made = _reference(code, accessor, field)
        fields[int(slot)] = made
    return fields


def _reference(code: str, accessor: str, field: str) -> Field:
    body = re.search(rf"\n    def {accessor}\(self.*?(?=\n    # |\n    def |\ndef )", code, re.S)
    assert body is not None
    table = re.search(r"obj = (\w+)\(\)", body.group())
    if "_tab.String(" in body.group():
        return Field(field, "string", "", 0)
    if "_tab.Union" in body.group():
        return Field(field, "union", "", 0)
    if table is not None and "Indirect" in body.group():
        vector = f"def {accessor}Length(" in code
        return Field(field, "tables" if vector else "table", table.group(1), 0)
    scalar = re.search(r"number_types\.(\w+)Flags, a", body.group())
    assert scalar is not None
    return Field(field, "vector", SCALARS[scalar.group(1)], 0)


def test_every_table_of_the_schema_is_known() -> None:
    assert set(table_names()) == set(sources())


@pytest.mark.parametrize("name", sorted(table_names()))
def test_a_table_has_the_fields_of_the_schema_in_their_slots(name: str) -> None:
    ours = [f._replace(of="") if f.kind == "union" else f for f in table_schema(name).fields]
    assert ours == generated_fields(name)


@pytest.mark.parametrize("name", UNIONS)
def test_a_union_has_the_members_of_the_schema_in_their_order(name: str) -> None:
    members = enum_names(name)
    assert [members[i] for i in range(1, len(members))] == list(union_members(name))
    assert set(union_members(name)) <= set(table_names())


def test_the_type_of_a_union_is_the_field_before_it() -> None:
    for name in table_names():
        fields = table_schema(name).fields
        for before, field in itertools.pairwise(fields):
            if field.kind == "union":
                assert before == Field(f"{field.name}_type", "scalar", "u8", 0)
                assert field.of in UNIONS


def test_no_table_contains_itself_so_that_the_walk_ends() -> None:
    def depth(name: str, above: tuple[str, ...]) -> int:
        assert name not in above
        below = [0]
        for field in table_schema(name).fields:
            targets = union_members(field.of) if field.kind == "union" else (field.of,)
            if field.kind in {"table", "tables", "union"}:
                below += [depth(t, (*above, name)) for t in targets]
        return 1 + max(below)

    assert depth("Model", ()) < 10


def test_ops_have_the_numbers_of_the_schema_and_options_that_exist() -> None:
    names = enum_names("BuiltinOperator")
    assert [names[i] for i in range(len(names))] == [a.name for a in arities()]
    assert {a.options for a in arities() if a.options} <= set(table_names())
    for arity in arities():
        assert all(0 <= position < arity.inputs[1] for position in arity.absent)


def test_types_have_the_numbers_of_the_schema() -> None:
    names = enum_names("TensorType")
    assert [names[i].lower() for i in range(len(names))] == [name for name, _ in DTYPES]
    assert all(bits % 8 == 0 or bits in {2, 4} for _, bits in DTYPES)
    assert set(WIDTHS.values()) == {1, 2, 4, 8}
