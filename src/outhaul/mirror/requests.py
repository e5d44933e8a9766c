"""Requests: what an endpoint is asked for, so that a work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outhaul.client import Task
from outhaul.kinds.activities import DEFAULT_FIELDS, FURTHER_FIELDS
from outhaul.lake.tables import DELETE_LEAD
from outhaul.mirror.planning import family_of
from outhaul.mirror.state import Backfill
from outhaul.mirror.streams import (
    ACTIVITY_PATH,
    DELETIONS,
    MEMBER_PATH,
    STATIC_LISTS,
    Stream,
    types_of,
)
from outhaul.mirror.work import Work


def activity_fields(*, standard: bool) -> tuple[str, ...]:
    """Return the fields of activities that are asked for: all, or the standard ones."""
    return DEFAULT_FIELDS if standard else (*DEFAULT_FIELDS, *FURTHER_FIELDS)


_KEYS = {"leads": "id"}
_OBJECT_KEY = "marketoGUID"


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Makes the requests of a run."""

    streams: Mapping[str, Stream]
    backfills: Mapping[str, Backfill]
    fields: Mapping[str, Sequence[str]]
    """The fields that are asked for, by the path of the kind."""
    headers: Mapping[str, Mapping[str, str]]
    """By the path of the kind: the name here of each field that is spelled another way here."""
    activity_types: Sequence[int]
    takes_deletions: bool
    """Whether the endpoint exports activities that delete a lead."""

    def task(self, work: Work, export_id: str | None = None) -> Task:
        """Return the task of a work, or of the job that was created for it."""
        return task_of(work, self._request(work), export_id)

    def _request(self, work: Work) -> dict[str, Any]:
        stream = work.streams[0]
        if stream == STATIC_LISTS:
            # The header is that of the file that `outhaul load list-members` takes.
            return {
                "format": "CSV",
                "fields": ["id"],
                "columnHeaderNames": {"id": "leadId"},
                "filter": {"staticListId": work.ids[0]},
            }
        if work.kind_path == MEMBER_PATH:
            ids = [*work.ids]
            of = {"programIds": ids} if len(ids) > 1 else {"programId": ids[0]}
            return self._of(work, of)
        assert work.window is not None  # noqa: S101 - all others are read by windows
        filters: dict[str, Any] = {}
        if work.kind_path == ACTIVITY_PATH:
            filters["createdAt"] = work.window.as_filter()
            if (types := self._types(work.streams)) is not None:
                filters["activityTypeIds"] = types
        else:
            filters[self._stream(stream).filter] = work.window.as_filter()
        return self._of(work, filters)

    def _of(self, work: Work, filters: Mapping[str, Any]) -> dict[str, Any]:
        fields = self._fields(work)
        request: dict[str, Any] = {"format": "CSV", "filter": dict(filters)}
        if fields is not None:
            request["fields"] = [*fields]
            headers = self.headers.get(work.kind_path, {})
            if asked := {name: headers[name] for name in fields if name in headers}:
                request["columnHeaderNames"] = asked
        return request

    def _fields(self, work: Work) -> Sequence[str] | None:
        backfill = self.backfills.get(work.streams[0])
        if backfill is not None:
            return [_KEYS.get(work.kind_path, _OBJECT_KEY), *backfill.fields]
        return self.fields.get(work.kind_path)

    def _stream(self, name: str) -> Stream:
        backfill = self.backfills.get(name)
        return self.streams[name if backfill is None else backfill.of]

    def _types(self, streams: Sequence[str]) -> list[int] | None:
        if self.takes_deletions:
            return types_of(streams, self.activity_types)
        known = [each for each in self.activity_types if each != DELETE_LEAD]
        return types_of([each for each in streams if each != DELETIONS], known)


def task_of(
    work: Work, request: Mapping[str, Any] | None = None, export_id: str | None = None
) -> Task:
    """Return the task of a work. Without a request it only serves to foresee its size."""
    return Task(
        kind_path=work.kind_path,
        request=request or {},
        name=work.name,
        family=family_of(work),
        span=1.0 if work.window is None else float(work.window.seconds),
        export_id=export_id,
        key=work,
    )
