"""A reading: the records to read from the lake, with the files that hold them, cut into parts.

A reading is plain data, and pins every file that it reads: those of its own table, of the joined
table, and of its clauses, such as the members of a list. It gives the same records each time,
whatever is loaded later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import polars as pl

from outhaul.lake.clauses import Between, Clause, Within, parse_clause
from outhaul.lake.files import TableFile
from outhaul.lake.tables import parse_type, type_name

# The import registers the clause, so that `parse_clause` knows its tag.
from outhaul.smart_lists.clause import InSmartList  # noqa: F401


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """The records of one part of an export file: some whole partitions, or a slice of one."""

    partitions: Sequence[Sequence[str]]
    """The partitions in order: the files of each, which are merged, as paths in the table."""
    ids: tuple[int, int] | None = None
    """The least and the greatest lead id in the files; `None` if they have no lead ids."""
    slice: Within | Between | None = None
    """The clause for the records of the slice; `None` for whole partitions."""

    def to_json(self) -> dict[str, Any]:
        """Return the part as plain data."""
        return {
            "partitions": [list(files) for files in self.partitions],
            "ids": self.ids,
            "slice": None if self.slice is None else self.slice.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the part that `to_json` gave."""
        cut = None if content["slice"] is None else parse_clause(content["slice"])
        return cls(
            partitions=content["partitions"],
            ids=None if content["ids"] is None else tuple(content["ids"]),
            slice=cut if isinstance(cut, Within | Between) else None,
        )


@dataclass(frozen=True, kw_only=True)
class JoinedFile:
    """A file of the joined table, with the least and the greatest id in it, if they are known."""

    path: str
    least: int | None
    greatest: int | None


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A second table. Each record of the reading is joined with at most one record of it."""

    table: str
    version: int
    left: str
    """The column of the reading's own table that has the id of the joined record."""
    right: str
    """The column of the joined table that has this id."""
    columns: Mapping[str, pl.DataType]
    """The columns of the joined table that are read, and their types."""
    files: Sequence[JoinedFile]

    def paths(self, ids: tuple[int, int] | None) -> list[str]:
        """Return the files that may hold records with these ids, from the least to the greatest."""
        if ids is None:
            return []
        wanted = Between(self.right, *ids)
        return [
            file.path
            for file in self.files
            if wanted.may_match({self.right: (file.least, file.greatest)})
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the join as plain data."""
        return {
            "table": self.table,
            "version": self.version,
            "left": self.left,
            "right": self.right,
            "columns": _type_names(self.columns),
            "files": [[file.path, file.least, file.greatest] for file in self.files],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the join that `to_json` gave."""
        return cls(
            table=content["table"],
            version=content["version"],
            left=content["left"],
            right=content["right"],
            columns=_types(content["columns"]),
            files=[
                JoinedFile(path=path, least=least, greatest=greatest)
                for path, least, greatest in content["files"]
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The records to read from one table, in order."""

    table: str
    version: int | None
    """The pinned version of the table; `None` if nothing was ever loaded."""
    columns: Mapping[str, pl.DataType]
    """The columns of the table that are read, and their types."""
    order: Sequence[str]
    """The columns that the records are ordered by."""
    clauses: Sequence[Clause]
    """Pinned clauses. All of them hold for every record."""
    joined: Joined | None = None
    parts: Sequence[PlannedPart] = ()
    """The parts in order. The records of all parts together are the records of the reading."""

    @property
    def all_columns(self) -> Mapping[str, pl.DataType]:
        """The columns of a record and its joined record. Of one name, the record's own counts."""
        return {**({} if self.joined is None else self.joined.columns), **self.columns}

    @property
    def files(self) -> Iterator[TableFile]:
        """All files that may be read: of the parts, of the joined table and of the clauses."""
        for part in self.parts:
            for paths in part.partitions:
                yield from (TableFile(self.table, path) for path in paths)
            if self.joined is not None:
                yield from (
                    TableFile(self.joined.table, path) for path in self.joined.paths(part.ids)
                )
        for clause in self.clauses:
            yield from clause.files

    def of_part(self, number: int) -> "Reading":
        """Return the reading of one part, without the files that only other parts need."""
        parts = self.parts[number : number + 1]
        joined = self.joined
        if joined is not None:
            wanted = {path for part in parts for path in joined.paths(part.ids)}
            joined = replace(joined, files=[file for file in joined.files if file.path in wanted])
        return replace(self, parts=parts, joined=joined)

    def to_json(self) -> dict[str, Any]:
        """Return the reading as plain data."""
        return {
            "table": self.table,
            "version": self.version,
            "columns": _type_names(self.columns),
            "order": list(self.order),
            "clauses": [clause.to_json() for clause in self.clauses],
            "joined": None if self.joined is None else self.joined.to_json(),
            "parts": [part.to_json() for part in self.parts],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the reading that `to_json` gave."""
        return cls(
            table=content["table"],
            version=content["version"],
            columns=_types(content["columns"]),
            order=tuple(content["order"]),
            clauses=[parse_clause(clause) for clause in content["clauses"]],
            joined=None if content["joined"] is None else Joined.from_json(content["joined"]),
            parts=[PlannedPart.from_json(part) for part in content["parts"]],
        )


def _type_names(columns: Mapping[str, pl.DataType]) -> dict[str, str]:
    return {name: type_name(of) for name, of in columns.items()}


def _types(columns: Mapping[str, str]) -> dict[str, pl.DataType]:
    return {name: parse_type(of) for name, of in columns.items()}
