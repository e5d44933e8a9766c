"""JSON answers, in the content type that clients expect."""

from starlette.responses import JSONResponse


class JsonResponse(JSONResponse):
    """A JSON answer; some clients look for the charset."""

    media_type = "application/json;charset=UTF-8"
