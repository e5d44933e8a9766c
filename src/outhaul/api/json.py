"""JSON answers, with the content type that clients expect."""

import json
from typing import Any

from starlette.responses import JSONResponse

from outhaul.protocol.answers.model import Answer


class JsonResponse(JSONResponse):
    """A JSON answer. Its content type has a charset, because some clients require it."""

    media_type = "application/json;charset=UTF-8"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - anything that JSON can represent
        """Return the bytes of an answer. Half of a surrogate pair is escaped."""
        if isinstance(content, Answer):
            return content.to_json()
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()
