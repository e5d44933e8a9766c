"""Making a reading: the only module that pins versions of tables.

Each table is pinned at one version, however many clauses read it. Membership of lists and smart
lists is therefore that of the moment of planning (bulk lead extract, filters).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from outhaul.lake.clauses import Clause
from outhaul.lake.snapshot import Snapshots
from outhaul.lake.tables import Join, Table
from outhaul.reading.reading import Joined, JoinedFile, Reading
from outhaul.reading.slices import slices


def pin_reading(  # noqa: PLR0913 - what is read of which tables
    snapshots: Snapshots,
    table: Table,
    wanted: Sequence[Clause],
    fields: Collection[str],
    *,
    join: Join | None = None,
    joined_fields: Collection[str] = (),
) -> Reading:
    """Return a reading, without parts, of the records that all clauses hold for.

    `fields` are the columns to read from the table, `joined_fields` those from the joined table.
    Columns that a table does not have are left out.
    """
    snapshot = snapshots.of(table)
    clauses = [clause.pin(snapshots) for clause in wanted]
    joined = None if join is None else _joined(snapshots, join, joined_fields)
    names = {*fields, *table.order, *(name for clause in clauses for name in clause.columns)}
    if joined is not None:
        names.add(joined.left)
    columns = {} if snapshot is None else snapshot.columns
    return Reading(
        table=table.name,
        version=None if snapshot is None else snapshot.version,
        columns={name: of for name, of in columns.items() if name in names},
        order=table.order,
        clauses=clauses,
        joined=joined,
    )


def cut(reading: Reading, snapshots: Snapshots, table: Table, part_records: int) -> Reading:
    """Return a reading cut into parts of at most about `part_records` records.

    The parts have only files that can match by their partition and statistics.
    """
    found = slices(snapshots.of(table), table, reading.clauses, part_records)
    return replace(reading, parts=[each.part(table) for each in found])


def _joined(snapshots: Snapshots, join: Join, fields: Collection[str]) -> Joined | None:
    """Return the pinned join; `None` if no joined field is wanted or nothing was ever loaded."""
    other = snapshots.of(join.table)
    if other is None or not fields:
        return None
    none = (None, None)
    return Joined(
        table=join.table.name,
        version=other.version,
        left=join.left,
        right=join.right,
        columns={
            name: of for name, of in other.columns.items() if name in fields or name == join.right
        },
        files=[
            JoinedFile(path=file.path, least=least, greatest=greatest)
            for file in other.files
            for least, greatest in [file.bounds.get(join.right, none)]
        ],
    )
