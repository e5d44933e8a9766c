"""Activities by type, with their attributes in typed columns.

Nothing of an attribute is lost: what no column can hold is in the column `otherAttributes`, as
JSON.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl
import pyarrow as pa

from outhaul.client.described import ActivityType
from outhaul.client.typed import arrow_type
from outhaul.records.columns import column_type
from outhaul.records.conversions import convert
from outhaul.records.json_objects import may_repeat, text_of

TYPE = "activityTypeId"
ATTRIBUTES = "attributes"
OTHERS = "otherAttributes"
"""The column with the attributes that no other column holds: a JSON object, or null."""

_SUFFIX = "_attribute"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, kw_only=True)
class _Column:
    """A column of an attribute."""

    name: str
    attribute: str
    type: pl.DataType


class Spreading:
    """The columns of activities by type. `schema` is that of the batches with a JSON column.

    The columns of a type are those of the batches except `attributes`, then one for each declared
    attribute, then `otherAttributes`. Raises `ValueError` if a needed column is missing.
    """

    def __init__(self, types: Sequence[ActivityType], schema: pa.Schema) -> None:
        missing = [name for name in (TYPE, ATTRIBUTES) if name not in schema.names]
        if missing:
            raise ValueError(f"the records have no column {' and no column '.join(missing)}")
        self._types = {each.id: each for each in types}
        self._shared = [field for field in schema if field.name != ATTRIBUTES]
        self._columns: dict[int | None, Sequence[_Column]] = {}

    def name(self, of: int | None) -> str:
        """Return a name for the records of a type that files can have: `1-visit-webpage`."""
        if of is None:
            return "no-type"
        known = self._types.get(of)
        words = "" if known is None else re.sub(r"[^a-z0-9]+", "-", known.name.lower()).strip("-")
        return f"{of}-{words}" if words else str(of)

    def split(self, batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
        """Yield the records of each type, in order, with the id of the type."""
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a batch becomes a frame
        for key, records in frame.partition_by(TYPE, as_dict=True, maintain_order=True).items():
            yield key[0], self._spread(records, key[0])

    def schema(self, of: int | None) -> pa.Schema:
        """Return the schema of the records of a type."""
        attributes = {} if of not in self._types else self._types[of].attributes
        own = [
            pa.field(column.name, arrow_type(attributes[column.attribute]))
            for column in self._columns_of(of)
        ]
        return pa.schema([*self._shared, *own, pa.field(OTHERS, pa.string())])

    def _spread(self, records: pl.DataFrame, of: int | None) -> pa.RecordBatch:
        columns = self._columns_of(of)
        found = [_members(text) for text in records[ATTRIBUTES]]
        left: list[dict[str, bytes]] = [dict(members or {}) for members in found]
        spread = [self._column(column, left) for column in columns]
        others = [
            text if members is None else _object(rest)
            for text, members, rest in zip(records[ATTRIBUTES], found, left, strict=True)
        ]
        frame = records.drop(ATTRIBUTES).with_columns(*spread, pl.Series(OTHERS, others, pl.String))
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self.schema(of))
        return table.combine_chunks().to_batches()[0]

    @staticmethod
    def _column(column: _Column, left: Sequence[dict[str, bytes]]) -> pl.Series:
        """Return the values of an attribute that have its type; what has not stays in `left`."""
        raw = [members.get(column.attribute) for members in left]
        texts = pl.Series(column.name, [each and text_of(each) for each in raw], pl.String)
        typed = convert(texts, column.type)
        misfits = set((typed.is_null() & texts.is_not_null()).arg_true())
        for n, members in enumerate(left):
            if n not in misfits:
                members.pop(column.attribute, None)
        return typed

    def _columns_of(self, of: int | None) -> Sequence[_Column]:
        if of not in self._columns:
            self._columns[of] = list(self._named(of))
        return self._columns[of]

    def _named(self, of: int | None) -> Iterator[_Column]:
        """Yield the columns of a type. Many engines do not tell upper from lower case."""
        known = self._types.get(of) if of is not None else None
        if known is None:
            return
        taken = {field.name.lower() for field in self._shared} | {OTHERS.lower()}
        for attribute, data_type in known.attributes.items():
            name = attribute
            count = 1
            while name.lower() in taken:
                name = f"{attribute}{_SUFFIX}{count if count > 1 else ''}"
                count += 1
            taken.add(name.lower())
            yield _Column(name=name, attribute=attribute, type=column_type(data_type))


def _members(text: str | None) -> Mapping[str, bytes] | None:
    """Return the members of an object as JSON, or `None` if they cannot be told apart."""
    if text is None:
        return {}
    content = text.encode()
    try:
        members = {name: bytes(raw) for name, raw in _OBJECT.decode(content).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if may_repeat(content, members, list(members.values())) and _repeats(text):
        return None
    return members


def _repeats(text: str) -> bool:
    """Return whether an object has a name twice."""
    found: list[bool] = []

    def take(pairs: list[tuple[str, object]]) -> None:
        found.append(len(dict(pairs)) < len(pairs))

    json.loads(text, object_pairs_hook=take, parse_int=len, parse_float=len)
    return found[-1]


def _object(members: Mapping[str, bytes]) -> str | None:
    """Return members as a JSON object; `None` if there are none."""
    if not members:
        return None
    texts = (
        f"{json.dumps(name, ensure_ascii=False)}:{raw.decode()}" for name, raw in members.items()
    )
    return "{" + ",".join(texts) + "}"
