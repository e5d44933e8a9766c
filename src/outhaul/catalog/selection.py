"""Which assets a look-up wants, as conditions on their table.

What only an asset's description says is read from there, and what even that does not say is what
the look-ups answer in its place: a workspace called `Default`, a form that is approved.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from outhaul.catalog.entries import ID_RANGE
from outhaul.database.schema import asset, storable
from outhaul.protocol.instants import render_instant

WORKSPACE = "Default"
"""The workspace of an asset whose description names none."""

DRAFT = "draft"
TRIGGER = "trigger"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What assets must fit: each of these that is not `None`."""

    ids: Collection[int] | None = None
    names: Collection[str] | None = None
    programs: Collection[str] | None = None
    workspaces: Collection[str] | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None
    """An asset without a date of its latest change is in every window: none is missed."""
    drafts: bool | None = None
    """Forms that are drafts, or those that are approved."""
    triggerable: bool = False
    """Campaigns that are active and begin with a trigger."""

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Return the conditions, all of which an asset must meet."""
        if self.ids is not None:
            yield asset.c.id.in_([wanted for wanted in self.ids if wanted in ID_RANGE])
        if self.names is not None:
            yield asset.c.name.in_(self.names)
        if self.programs is not None:
            yield asset.c.program.in_(self.programs)
        if self.workspaces is not None:
            named = sa.func.coalesce(_said("workspaceName"), _said("workspace"), WORKSPACE)
            yield named.in_([storable(wanted) for wanted in self.workspaces])
        if self.updated_from is not None:
            yield _undated() | (_said("updatedAt") >= render_instant(self.updated_from))
        if self.updated_until is not None:
            yield _undated() | (_said("updatedAt") <= render_instant(self.updated_until))
        if self.drafts is not None:
            draft = sa.func.lower(sa.func.coalesce(_said("status"), "")) == DRAFT
            yield draft if self.drafts else ~draft
        if self.triggerable:
            yield _said("type") == TRIGGER
            yield asset.c.description["active"].as_boolean()


def _said(name: str) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = asset.c.description[name].as_string()
    return text


def _undated() -> sa.ColumnElement[bool]:
    return _said("updatedAt").is_(None)
