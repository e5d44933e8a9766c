"""The description of export calls: parameters, request bodies, and answers with files."""

from dataclasses import replace
from typing import Any

from outhaul.api.calls import TEXT, Reply
from outhaul.export.formats import FORMATS
from outhaul.kinds.kind import Exported
from outhaul.protocol.answers.envelope import Failure, Page
from outhaul.protocol.answers.exports import DEFAULT_FORMAT, ExportJob
from outhaul.protocol.parameters import Parameter, path_parameter
from outhaul.protocol.shapes import TEXT as TEXT_SHAPE
from outhaul.protocol.shapes import Shape, array_of, one_of
from outhaul.protocol.states import State

JobPage = Page[ExportJob]
"""The answer of a call about export jobs."""

STATUS = Parameter(
    name="status",
    shape={"type": "array", "items": {"type": "string", "examples": list(State)}},
    description=f"Only jobs in one of these states: {', '.join(State)}, in any case. Repeat the "
    "parameter, or join several states by commas.",
)
BATCH_SIZE = Parameter(
    name="batchSize",
    shape={"type": "integer", "minimum": 1},
    description="The number of jobs on a page. A larger number than allowed is reduced.",
)
NEXT_PAGE_TOKEN = Parameter(
    name="nextPageToken",
    shape={"type": "string"},
    description="The token of the previous page. Without it the list begins at the oldest job.",
)
LISTING = (STATUS, BATCH_SIZE, NEXT_PAGE_TOKEN)

EXPORT_ID = path_parameter("exportId", {"type": "string", "format": "uuid"}, "The id of a job.")

RANGE = Parameter(
    name="Range",
    shape={"type": "string", "examples": ["bytes=0-1048575"]},
    description="The wanted bytes, as one range. Several ranges give the whole file.",
    location="header",
)
IF_RANGE = Parameter(
    name="If-Range",
    shape={"type": "string"},
    description="An `ETag`. `Range` is used only if this is the `ETag` of the file.",
    location="header",
)
IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    shape={"type": "string"},
    description="`ETag`s of files that the client has. If one matches, the status is 304.",
    location="header",
)
FILE_HEADERS = (RANGE, IF_RANGE, IF_NONE_MATCH)
FILE_HEAD_HEADERS = (EXPORT_ID, IF_NONE_MATCH)

JOBS = {200: Reply(description="The jobs, or a failure.", models=(JobPage, Failure))}

_FILE = {"Accept-Ranges": "`bytes`.", "ETag": "The SHA-256 of the whole file, quoted."}
_LENGTH = {"Content-Length": "The number of bytes sent."}
_PART_OF_FILE = {"Content-Range": "The range of bytes sent, and the size of the file."}
_MEDIA_TYPES = tuple(
    dict.fromkeys(entry.media_type.partition(";")[0] for entry in FORMATS.values())
)

FILE = {
    200: Reply(
        description="The whole file, with the headers `ETag`, `Accept-Ranges` and "
        "`Content-Length`, or a failure in JSON.",
        models=(Failure,),
        media_types=_MEDIA_TYPES,
    ),
    206: Reply(
        description="The bytes that `Range` names.",
        media_types=_MEDIA_TYPES,
        headers=_FILE | _LENGTH | _PART_OF_FILE,
    ),
    304: Reply(description="The client has the file already.", headers=_FILE),
    307: Reply(
        description="The file is in a bucket. The address is valid for a limited time.",
        headers={"Location": "A signed address.", "Cache-Control": "`no-store`."},
    ),
    404: Reply(
        description="The job does not exist or is not Completed, or its file has expired.",
        media_types=(TEXT,),
    ),
    416: Reply(
        description="`Range` begins after the end of the file.",
        media_types=(TEXT,),
        headers=_FILE | {"Content-Range": "`bytes */` and the size of the file."},
    ),
    503: Reply(description="The store of files cannot be reached.", models=(Failure,)),
}


FILE_HEAD = {
    status: replace(FILE[status], models=(), media_types=()) for status in (200, 304, 307, 404, 503)
}


def request_shape(kind: Exported) -> Shape:
    """Return the shape of the body of a create call."""
    filters = {entry.name: entry.shape for entry in kind.filters}
    some: dict[str, Any] = {
        "type": "object",
        "properties": filters,
        "additionalProperties": False,
    }
    fields = array_of(TEXT_SHAPE)
    return {
        "type": "object",
        "required": ["filter"] if kind.default_fields else ["filter", "fields"],
        "properties": {
            "filter": {
                "description": "Which records are exported. The objects of an array are merged.",
                "anyOf": [{**some, **kind.rule.shape}, {"type": "array", "items": some}],
            },
            "fields": {
                **fields,
                "description": "The names of the exported fields, in the order of the columns.",
                **({"default": list(kind.default_fields)} if kind.default_fields else {}),
            },
            "columnHeaderNames": {
                "type": "object",
                "additionalProperties": TEXT_SHAPE,
                "description": "Column headers that differ from the field name, by field name.",
            },
            "format": {
                **one_of(*FORMATS, description="The format of the file, in any case."),
                "default": DEFAULT_FORMAT,
            },
        },
    }
