"""From what is wanted of a table to a reading: everything is pinned here, and nowhere else.

Each table is pinned at one version, however many clauses look at it. Membership of lists and smart
lists is as of that moment (bulk lead extract, filters).
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
    """Return a reading of the records that all clauses hold for; it has no parts yet.

    `fields` are the columns to read of the table, `joined_fields` those of the other table. Columns
    that the table does not have are left out.
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
    """Return a reading with its parts, of about `part_records` records at most.

    Only files whose partition and statistics can match are in them.
    """
    found = slices(snapshots.of(table), table, reading.clauses, part_records)
    return replace(reading, parts=[each.part(table) for each in found])


def _joined(snapshots: Snapshots, join: Join, fields: Collection[str]) -> Joined | None:
    """Return what is read of the other table; `None` where no field of its is wanted."""
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
