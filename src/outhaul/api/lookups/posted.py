"""The parameters of a POST with `_method=GET`: in the query, and in a form or a JSON object.

Some parameters are too long for a URI. JSON is for compound keys, which a form cannot express.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams

from outhaul.protocol.body import parse_object

INPUT = "input"
"""The member of a JSON object that has compound keys, which are objects."""


class Posted(NamedTuple):
    """What a POST contains: its parameters, and the value of `input`."""

    parameters: QueryParams
    input: object = None


def read_posted(query: QueryParams, content_type: str, body: bytes) -> Posted:
    """Return the parameters of a POST. Those in the body follow those in the query.

    Clients send the content type of JSON with forms and with empty bodies, so a body is only JSON
    if it also begins like an object. Raises 609 if it then is not JSON.
    """
    if "json" in content_type.lower() and body.lstrip().startswith(b"{"):
        content = parse_object(body)
        pairs = [(name, text) for name, value in content.items() for text in _texts(value)]
        sent = content.get(INPUT)
    else:
        pairs, sent = parse_qsl(body.decode("utf-8", "replace")), None
    return Posted(QueryParams([*query.multi_items(), *pairs]), sent)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts that a query would have for a member. Objects are no parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bool, int, float)):
        yield json.dumps(value)
    elif isinstance(value, list):
        for entry in value:
            if not isinstance(entry, list):
                yield from _texts(entry)
