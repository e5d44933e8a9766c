"""The selection of assets for a look-up, as conditions on their table.

Some conditions read the description of an asset. A missing value counts as the value that look-ups
answer for it: the workspace `Default`, and a form that is approved.
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

UNDATED = "2000-01-01T00:00:00Z"
"""The date of an asset whose description has none, because the protocol requires dates."""

DRAFT = "draft"
TRIGGER = "trigger"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The conditions that an asset must meet. A condition that is `None` is always met."""

    ids: Collection[int] | None = None
    names: Collection[str] | None = None
    programs: Collection[str] | None = None
    workspaces: Collection[str] | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None
    """The end of the window for `updatedAt`. An asset without this date is in every window, so
    that a client that polls by windows gets it."""
    drafts: bool | None = None
    """`True` selects forms that are drafts, `False` those that are approved."""
    triggerable: bool = False
    """`True` selects campaigns that are active and begin with a trigger."""

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions as SQL expressions. An asset must meet all of them."""
        if self.ids is not None:
            yield asset.c.id.in_([wanted for wanted in self.ids if wanted in ID_RANGE])
        if self.names is not None:
            yield asset.c.name.in_(self.names)
        if self.programs is not None:
            yield asset.c.program.in_(self.programs)
        if self.workspaces is not None:
            named = sa.func.coalesce(
                _described("workspaceName"), _described("workspace"), WORKSPACE
            )
            yield named.in_([storable(wanted) for wanted in self.workspaces])
        if self.updated_from is not None:
            yield _undated() | (_described("updatedAt") >= render_instant(self.updated_from))
        if self.updated_until is not None:
            yield _undated() | (_described("updatedAt") <= render_instant(self.updated_until))
        if self.drafts is not None:
            draft = sa.func.lower(sa.func.coalesce(_described("status"), "")) == DRAFT
            yield draft if self.drafts else ~draft
        if self.triggerable:
            yield _described("type") == TRIGGER
            yield asset.c.description["active"].as_boolean()


def _described(name: str) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = asset.c.description[name].as_string()
    return text


def _undated() -> sa.ColumnElement[bool]:
    return _described("updatedAt").is_(None)
