"""The records that the rules of a smart list look at, pinned by the plan of a job."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PinnedRecords:
    """Files of the lake, as paths under the folder of their table."""

    leads: Mapping[int, Sequence[str]]
    """The files of leads, by the range of ids that they are of."""
    columns: Mapping[str, str]
    """The fields that rules name and the table has, and what Delta calls their types."""
    members: Mapping[int, Sequence[str]]
    """The files of the members of the static lists that rules name, by the list's id."""
    activities: Sequence[Sequence[str]]
    """For each condition on activities, in their order, the files that may hold some that fit."""

    @property
    def files(self) -> Iterator[str]:
        """All of the files."""
        for some in (self.leads.values(), self.members.values(), self.activities):
            for paths in some:
                yield from paths

    def to_json(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {
            "leads": {str(name): list(files) for name, files in self.leads.items()},
            "columns": dict(self.columns),
            "members": {str(name): list(files) for name, files in self.members.items()},
            "activities": [list(files) for files in self.activities],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PinnedRecords":
        """Return the records that `to_json` gave."""
        return cls(
            leads={int(name): files for name, files in content["leads"].items()},
            columns=content["columns"],
            members={int(name): files for name, files in content["members"].items()},
            activities=content["activities"],
        )
