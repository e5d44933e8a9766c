"""The store of a catalog: the standard entries and the loaded ones."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import (
    ID_RANGE,
    ActivityType,
    Asset,
    AssetType,
    Entries,
    LeadField,
)
from outhaul.catalog.objects import CustomObjectType, MemberField
from outhaul.catalog.selection import Selection
from outhaul.database.engine import Database, insert, lock
from outhaul.database.schema import (
    activity_type,
    asset,
    custom_object_type,
    lead_field,
    member_field,
    member_status,
    storable_json,
)


class Catalog:
    """The catalog of one subscription."""

    def __init__(self, database: Database, subscription: str) -> None:
        self._database = database
        self._subscription = subscription

    def lead_fields(self) -> Mapping[str, LeadField]:
        """Return all lead fields by name: first the standard ones, then the loaded ones.

        A loaded field replaces a standard field of the same name. If it has the id of a standard
        field of another name, that field gets another id.
        """
        loaded = {entry.name: entry for entry in self._loaded_lead_fields()}
        taken = {entry.id for entry in loaded.values()}
        standard = standard_entries().lead_fields
        free = max(taken | {entry.id for entry in standard}) + 1
        fields: dict[str, LeadField] = {}
        for entry in standard:
            if entry.name in loaded:
                fields[entry.name] = loaded[entry.name]
            elif entry.id in taken:
                fields[entry.name] = _with_id(entry, free)
                free += 1
            else:
                fields[entry.name] = entry
        return fields | loaded

    def activity_types(self) -> Mapping[int, ActivityType]:
        """Return all activity types by id; a loaded one replaces a standard one."""
        types = {entry.id: entry for entry in standard_entries().activity_types}
        types |= {entry.id: entry for entry in self._loaded_activity_types()}
        return dict(sorted(types.items()))

    def member_fields(self) -> Mapping[str, MemberField]:
        """Return the fields of program members by name; a loaded one replaces a standard one."""
        fields = {entry.name: entry for entry in standard_entries().member_fields}
        return fields | {entry.name: entry for entry in self._loaded_member_fields()}

    def custom_object_types(self) -> Mapping[str, CustomObjectType]:
        """Return the custom object types by API name."""
        return {
            row.api_name: CustomObjectType(api_name=row.api_name, description=row.description)
            for row in self._rows(custom_object_type, custom_object_type.c.api_name)
        }

    def loaded(self) -> Entries:
        """Return all entries that were loaded, without the standard ones."""
        return Entries(
            lead_fields=self._loaded_lead_fields(),
            activity_types=self._loaded_activity_types(),
            member_fields=self._loaded_member_fields(),
            custom_object_types=tuple(self.custom_object_types().values()),
            assets=tuple(_asset(row) for row in self._rows(asset, asset.c.id)),
        )

    def has_program(self, program: int) -> bool:
        """Return whether the catalog has a program with this id, or the lake has members of it."""
        if self.asset(AssetType.PROGRAM, program) is not None:
            return True
        order = member_status.c.name
        return bool(self._rows(member_status, order, member_status.c.program == program))

    def member_statuses(self) -> Collection[str]:
        """Return the statuses that programs declare, and those of loaded members."""
        named = {row.name for row in self._rows(member_status, member_status.c.name)}
        for program in self.assets(AssetType.PROGRAM):
            named |= set(program.description.get("statuses", []))
        return named - {""}

    def note_member_statuses(self, found: Collection[tuple[int, str | None]]) -> None:
        """Record that programs have members with these statuses: pairs of id and status."""
        rows = [
            # PostgreSQL cannot store a NUL byte, and no filter can name such a status.
            {"subscription": self._subscription, "program": program, "name": name}
            for program, name in {(p, n if n and "\0" not in n else "") for p, n in found}
        ]
        if rows:
            with self._database.write() as connection:
                self._lock(connection)
                statement = insert(connection, member_status).on_conflict_do_nothing()
                connection.execute(statement, rows)

    def assets(self, kind: AssetType) -> Iterable[Asset]:
        """Yield the assets of one type, ordered by id."""
        for row in self._rows(asset, asset.c.id, asset.c.type == kind):
            yield _asset(row)

    def asset(self, kind: AssetType, asset_id: int) -> Asset | None:
        """Return one asset by its id; `None` if there is no such asset."""
        if asset_id not in ID_RANGE:  # PostgreSQL refuses to compare with a larger number
            return None
        rows = self._rows(asset, asset.c.id, asset.c.type == kind, asset.c.id == asset_id)
        return next((_asset(row) for row in rows), None)

    def browse(
        self,
        kind: AssetType,
        selection: Selection,
        *,
        size: int,
        after: int | None = None,
        offset: int = 0,
    ) -> list[Asset]:
        """Return at most `size` selected assets, ordered by id.

        They follow the id `after`, and `offset` selected assets are skipped.
        """
        where = [asset.c.type == kind, *selection.conditions()]
        if after is not None:
            where.append(asset.c.id > after)
        statement = (
            sa.select(asset)
            .where(asset.c.subscription == self._subscription, *where)
            .order_by(asset.c.id)
            .offset(offset)
            .limit(size)
        )
        with self._database.read() as connection:
            return [_asset(row) for row in connection.execute(statement)]

    def assets_named(self, kind: AssetType, names: Collection[str]) -> list[Asset]:
        """Return the assets with one of these names, with or without the name of their program."""
        bare = {name.rpartition(".")[2] for name in names} | set(names)
        # A name may hold dots itself: it may then begin after any dot.
        bare |= {name[n + 1 :] for name in names for n, mark in enumerate(name) if mark == "."}
        rows = self._rows(asset, asset.c.id, asset.c.type == kind, asset.c.name.in_(bare))
        found = [_asset(row) for row in rows]
        return [entry for entry in found if {entry.name, entry.qualified_name} & set(names)]

    def store(self, entries: Entries) -> None:
        """Store entries in one transaction. They replace entries of the same name or id.

        The rules of smart lists are not checked here. `smart_lists.stored.store_entries` does that.
        """
        with self._database.write() as connection:
            self._lock(connection)
            self._put(
                connection,
                lead_field,
                (
                    {
                        "name": entry.name,
                        "id": entry.id,
                        "display_name": entry.display_name,
                        "data_type": entry.data_type,
                        "description": entry.description,
                    }
                    for entry in entries.lead_fields
                ),
            )
            self._put(
                connection,
                activity_type,
                (
                    {"id": kind.id, "name": kind.name, "description": kind.description}
                    for kind in entries.activity_types
                ),
            )
            self._put(
                connection,
                member_field,
                (
                    {
                        "name": member.name,
                        "data_type": member.data_type,
                        "description": member.description,
                    }
                    for member in entries.member_fields
                ),
            )
            for declared in entries.custom_object_types:
                # A file with the list of types has fewer keys than one with their descriptions.
                known = connection.execute(
                    sa.select(custom_object_type.c.description).where(
                        custom_object_type.c.subscription == self._subscription,
                        custom_object_type.c.api_name == declared.api_name,
                    )
                ).scalar()
                description = {**(known or {}), **declared.description}
                values = {"api_name": declared.api_name, "description": description}
                self._put(connection, custom_object_type, [values])
            self._put(
                connection,
                asset,
                (
                    {
                        "type": thing.type.value,
                        "id": thing.id,
                        "name": thing.name,
                        "program": thing.program,
                        "description": thing.description,
                    }
                    for thing in entries.assets
                ),
            )

    def _loaded_lead_fields(self) -> tuple[LeadField, ...]:
        return tuple(
            LeadField(
                id=row.id,
                name=row.name,
                display_name=row.display_name,
                data_type=row.data_type,
                description=row.description,
            )
            for row in self._rows(lead_field, lead_field.c.id)
        )

    def _loaded_activity_types(self) -> tuple[ActivityType, ...]:
        return tuple(
            ActivityType(id=row.id, name=row.name, description=row.description)
            for row in self._rows(activity_type, activity_type.c.id)
        )

    def _loaded_member_fields(self) -> tuple[MemberField, ...]:
        return tuple(
            MemberField(name=row.name, data_type=row.data_type, description=row.description)
            for row in self._rows(member_field, member_field.c.name)
        )

    def _rows(
        self, table: sa.Table, order: sa.Column[Any], *where: sa.ColumnElement[bool]
    ) -> list[sa.Row[Any]]:
        statement = (
            sa.select(table)
            .where(table.c.subscription == self._subscription, *where)
            .order_by(order)
        )
        with self._database.read() as connection:
            return list(connection.execute(statement))

    def _lock(self, connection: sa.Connection) -> None:
        """Lock the catalog against other loads, but not against readers.

        Two loads that lock rows in different orders could deadlock. And the stored description of
        a custom object type is read before it is merged with the new one.
        """
        lock(connection, f"outhaul catalog {self._subscription}")

    def _put(
        self, connection: sa.Connection, table: sa.Table, entries: Iterable[Mapping[str, Any]]
    ) -> None:
        rows = [
            {
                "subscription": self._subscription,
                **values,
                "description": storable_json(values["description"]),
            }
            for values in entries
        ]
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        statement = insert(connection, table)
        others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), rows)


def _with_id(entry: LeadField, field_id: int) -> LeadField:
    return LeadField(
        id=field_id,
        name=entry.name,
        display_name=entry.display_name,
        data_type=entry.data_type,
        description={**entry.description, "id": field_id},
    )


def _asset(row: sa.Row[Any]) -> Asset:
    return Asset(
        type=AssetType(row.type),
        id=row.id,
        name=row.name,
        program=row.program,
        description=row.description,
    )
