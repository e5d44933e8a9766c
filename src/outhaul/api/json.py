"""JSON answers, in the content type that clients expect."""

import json
from typing import Any

from starlette.responses import JSONResponse

from outhaul.protocol.answers.model import Answer


class JsonResponse(JSONResponse):
    """A JSON answer; some clients look for the charset."""

    media_type = "application/json;charset=UTF-8"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever can be written as JSON
        """Return the bytes of an answer; half a surrogate pair is written as it was read."""
        if isinstance(content, Answer):
            return content.to_json()
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content, separators=(",", ":")).encode()
