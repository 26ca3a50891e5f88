"""Walks the FlatBuffers structure of a file that may be hostile, and returns what it holds.

Every offset is checked before it is followed: tables, vtables, scalars, vectors and strings lie
inside the bytes and are aligned, strings end in NUL, unions have a type of the schema. A file can
point to one table from many places, so visits are counted, not bytes; nothing is copied but the
small values of tables. Rules: FlatBuffers internals, https://flatbuffers.dev/internals/.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class with a lower-case name
from typing import Any, Final, NamedTuple

from band.model.tflite_verify_limits import Limits, damaged, too_large
from band.model.tflite_verify_schema import (
    FORMATS,
    WIDTHS,
    Field,
    TableSchema,
    table_schema,
    union_members,
)

_OFFSET_LIMIT: Final = (1 << 31) - 1  # FlatBuffers offsets are 31 bits wide
_U32: Final = Struct("<I")
_I32: Final = Struct("<i")
_VTABLE_HEAD: Final = Struct("<HH")
_ROOT: Final = "Model"


class Span(NamedTuple):
    """Where a vector's elements or a string's bytes lie: first byte, number of elements."""

    start: int
    length: int


ABSENT: Final = Span(0, 0)


class _Reference(NamedTuple):
    """A field that points elsewhere.

    Attributes:
        slot: its number.
        offset: its place in the table.
        field: what the schema says of it.
        width: of an element of a vector of scalars, else 0.
    """

    slot: int
    offset: int
    field: Field
    width: int


class _Layout(NamedTuple):
    """How tables with one vtable store their fields: one unpack, then the slots in order."""

    unpack: Callable[[memoryview, int], tuple[Any, ...]]
    in_slots: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    defaults: tuple[Any, ...]
    references: tuple[_Reference, ...]


def parse(content: memoryview, where: str, limits: Limits) -> Any:
    """Walk a whole file.

    Args:
        content: the bytes; the header (root offset and identifier) is known to be there.
        where: the file, for messages.
        limits: how many tables and names it may have.

    Returns:
        The ``Model`` table as a named tuple: scalars as numbers, tables as named tuples or None,
        vectors of tables as lists, vectors of scalars and strings as :class:`Span` (``ABSENT`` if
        not there).

    Raises:
        BandError: INVALID_MODEL if the structure is broken; UNSUPPORTED_FEATURE over a limit.
    """
    walk = _Walk(content, where, limits)
    return walk.table(_U32.unpack_from(content, 0)[0], table_schema(_ROOT))


class _Walk:
    """One walk through one file."""

    __slots__ = ("_content", "_end", "_layouts", "_limits", "_tables", "_text", "_where")

    def __init__(self, content: memoryview, where: str, limits: Limits) -> None:
        self._content = content
        self._where = where
        self._limits = limits
        # What lies behind 2 GiB is data that buffers name by 64-bit offsets of their own.
        self._end = min(len(content), _OFFSET_LIMIT)
        self._layouts: dict[tuple[int, str, int], _Layout] = {}
        self._tables = 0
        self._text = 0

    def table(self, position: int, schema: TableSchema) -> Any:
        """Return one table, with all that it points at."""
        self._tables += 1
        if self._tables > self._limits.tables:
            raise self._many()
        if position & 3 or position + 4 > self._end:
            raise self._broken(f"a table of kind {schema.name} lies at byte {position}")
        vtable = position - _I32.unpack_from(self._content, position)[0]
        key = (vtable, schema.name, position & 7)
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = self._layout(vtable, position, schema)
        try:
            stored = layout.unpack(self._content, position)
        except StructError:
            raise self._broken(f"a table of kind {schema.name} lies past the end") from None
        values = list(layout.in_slots(stored + layout.defaults))
        for slot, offset, field, width in layout.references:
            if field.kind == "union" and values[slot - 1] == 0:
                values[slot] = None  # the type 0 has no table, whatever the field says
                continue
            distance = values[slot]
            if not 0 < distance <= _OFFSET_LIMIT:
                raise self._broken(f"the field {field.name} of a {schema.name} points nowhere")
            at = position + offset + distance
            if width:
                values[slot] = self._vector(at, width, field)
            elif field.kind == "table":
                values[slot] = self.table(at, table_schema(field.of))
            elif field.kind == "union":
                values[slot] = self._union(values[slot - 1], at, field)
            else:
                values[slot] = self._string_or_tables(at, field)
        return schema.values._make(values)

    def _vector(self, at: int, width: int, field: Field) -> Span:
        start = at + 4
        if at & 3 or start > self._end:
            raise self._broken(f"the vector {field.name} lies at byte {at}")
        length: int = _U32.unpack_from(self._content, at)[0]
        if start + length * width > self._end or start % width:
            raise self._broken(f"the vector {field.name} at byte {at} has {length} entries")
        return Span(start, length)

    def _string_or_tables(self, at: int, field: Field) -> Any:
        start, length = self._vector(at, 1 if field.kind == "string" else 4, field)
        if field.kind == "tables":
            return self._tables_at(start, length, field)
        if start + length >= self._end or self._content[start + length] != 0:
            raise self._broken(f"the text {field.name} at byte {at} has no end")
        self._text += length
        if self._text > self._limits.text_bytes:
            raise too_large(
                self._where, f"its names take more than {self._limits.text_bytes} bytes"
            )
        return Span(start, length)

    def _tables_at(self, start: int, count: int, field: Field) -> list[Any]:
        # Before anything is made of it: one list can name one table a million times.
        if self._tables + count > self._limits.tables:
            raise self._many()
        of = table_schema(field.of)
        offsets = Struct(f"<{count}I").unpack_from(self._content, start)
        if count and (min(offsets) == 0 or max(offsets) > _OFFSET_LIMIT):
            raise self._broken(f"the list {field.name} has an entry that points nowhere")
        table = self.table
        return [table(start + 4 * i + offset, of) for i, offset in enumerate(offsets)]

    def _union(self, kind: int, at: int, field: Field) -> Any:
        members = union_members(field.of)
        if kind > len(members):
            raise self._broken(f"the field {field.name} has the unknown type {kind}")
        return self.table(at, table_schema(members[kind - 1]))

    def _layout(self, vtable: int, position: int, schema: TableSchema) -> _Layout:
        """Check a vtable for one kind of table and return how its tables are read."""
        if vtable < 0 or vtable & 1 or vtable + 4 > self._end:
            raise self._broken(f"the layout of a {schema.name} lies at byte {vtable}")
        size, table_bytes = _VTABLE_HEAD.unpack_from(self._content, vtable)
        if size < 4 or size & 1 or vtable + size > self._end or table_bytes < 4:
            raise self._broken(f"the layout of a {schema.name} at byte {vtable} has {size} bytes")
        if len(self._layouts) >= self._limits.layouts:
            raise too_large(self._where, f"it has more than {self._limits.layouts} table layouts")
        slots = min(size // 2 - 2, len(schema.fields))  # a newer schema may have more
        stored = Struct(f"<{slots}H").unpack_from(self._content, vtable + 4)
        present = [
            (offset, slot, field)
            for slot, (offset, field) in enumerate(zip(stored, schema.fields, strict=False))
            if offset and field.kind != "retired"
        ]
        return self._compiled(sorted(present, key=itemgetter(0, 1)), table_bytes, position, schema)

    def _compiled(
        self,
        present: Sequence[tuple[int, int, Field]],
        table_bytes: int,
        position: int,
        schema: TableSchema,
    ) -> _Layout:
        codes, at = ["<4x"], 4
        for offset, _, field in present:
            code = FORMATS[field.of] if field.kind == "scalar" else "I"
            width = WIDTHS[field.of] if field.kind == "scalar" else 4
            # Fields that overlap or leave their table come from no writer.
            if offset < at or offset + width > table_bytes or (position + offset) % width:
                raise self._broken(
                    f"the field {field.name} of a {schema.name} lies at byte {offset} of its table"
                )
            codes.append(f"{offset - at}x{code}")
            at = offset + width
        codes.append(f"{table_bytes - at}x")
        order = {slot: i for i, (_, slot, _) in enumerate(present)}
        missing = [slot for slot in range(len(schema.fields)) if slot not in order]
        order.update({slot: len(present) + i for i, slot in enumerate(missing)})
        return _Layout(
            unpack=Struct("".join(codes)).unpack_from,
            in_slots=_picker([order[slot] for slot in range(len(schema.fields))]),
            defaults=tuple(_absent(schema.fields[slot]) for slot in missing),
            references=tuple(
                _Reference(slot, offset, field, WIDTHS[field.of] if field.kind == "vector" else 0)
                for offset, slot, field in sorted(present, key=itemgetter(1))
                if field.kind != "scalar"
            ),
        )

    def _many(self) -> Exception:
        return too_large(self._where, f"it has more than {self._limits.tables} tables")

    def _broken(self, problem: str) -> Exception:
        return damaged(self._where, problem)


def _picker(order: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a function that picks entries of a tuple, always as a tuple."""
    if len(order) > 1:
        return itemgetter(*order)
    return lambda stored: tuple(stored[i] for i in order)


def _absent(field: Field) -> Any:
    if field.kind in {"vector", "string"}:
        return ABSENT
    if field.kind == "tables":
        return ()
    return field.default if field.kind == "scalar" else None
