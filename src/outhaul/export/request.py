"""The request of an export job: the filter, the fields, the headers and the format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from outhaul.export.formats import FORMATS, Format, read_format
from outhaul.kinds.filter import Context
from outhaul.kinds.kind import Kind
from outhaul.protocol.body import read_headers


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """The checked request of an export job, which is stored with the job as plain data."""

    fields: Sequence[str]
    headers: Sequence[str]
    format: Format
    filter: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return {
            "fields": list(self.fields),
            "headers": list(self.headers),
            "format": self.format.name,
            "filter": dict(self.filter),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the request that `to_json` gave."""
        return cls(
            fields=content["fields"],
            headers=content["headers"],
            format=FORMATS[content["format"]],
            filter=content["filter"],
        )


def read_request(kind: Kind, body: Mapping[str, Any], context: Context) -> ExportRequest:
    """Return the request in the body of a create call. Raises `ApiError` if it is not valid."""
    wanted = kind.read(body, context)
    headers = read_headers(body.get("columnHeaderNames"), wanted.fields)
    file_format = read_format(body.get("format"))
    file_format.check_headers(headers)
    return ExportRequest(
        fields=wanted.fields, headers=headers, format=file_format, filter=wanted.filter
    )
