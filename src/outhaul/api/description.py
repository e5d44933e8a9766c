"""The published description of the API (OpenAPI 3.1), made from the declared calls and answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from outhaul import __version__
from outhaul.api.calls import JSON, Call, Model, Reply
from outhaul.errors import Error
from outhaul.protocol.answers.envelope import Failure

ABOUT = """Bulk extract of records that are stored in open tables.

A call that fails is answered with HTTP status 200 and a failure envelope, except where another
status is listed."""

HEADER_TOKEN = "bearer"  # noqa: S105 - the name of a security scheme
QUERY_TOKEN = "access_token"  # noqa: S105 - same

_REFERENCES = "#/components/schemas/{model}"
_SECURITY_SCHEMES = {
    HEADER_TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of the token endpoint.",
    },
    QUERY_TOKEN: {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "The same token in the query, where the subscription allows it.",
    },
}
_EVERYWHERE = {
    413: Reply(description="The body is too large.", models=(Failure,)),
    414: Reply(description="The URI is too long.", models=(Failure,)),
}


class AnswerSchema(GenerateJsonSchema):
    """Makes JSON Schemas of answers as they are on the wire: a member can be absent, never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of a member that may be absent."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without the default, which only the client uses, for other servers."""
        return self.generate_inner(schema["schema"])


def describe(calls: Iterable[Call]) -> dict[str, Any]:
    """Return the OpenAPI description of some calls."""
    calls = list(calls)
    schemas, components = _schemas(calls)
    components["CallError"]["properties"]["code"]["enum"] = sorted({row.code for row in Error})
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "outhaul", "version": __version__, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY_SCHEMES},
        "tags": [{"name": tag} for tag in dict.fromkeys(call.tag for call in calls)],
    }


def _schemas(calls: Iterable[Call]) -> tuple[Mapping[Model, Any], dict[str, Any]]:
    """Return a reference for each declared answer, and the schemas that the references name."""
    models = dict.fromkeys(
        model for call in calls for reply in _replies(call).values() for model in reply.models
    )
    found, definitions = TypeAdapter.json_schemas(
        [(model, "serialization", TypeAdapter(model)) for model in models],
        ref_template=_REFERENCES,
        schema_generator=AnswerSchema,
    )
    return {model: found[model, "serialization"] for model in models}, definitions["$defs"]


def _operation(call: Call, schemas: Mapping[Model, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": call.operation_id,
        "tags": [call.tag],
        "summary": call.summary,
        "description": _description(call),
        "parameters": [parameter.to_openapi() for parameter in call.parameters],
        "responses": {
            str(status): _response(reply, schemas) for status, reply in _replies(call).items()
        },
    }
    if call.needs_token:
        shown["security"] = [{HEADER_TOKEN: []}, {QUERY_TOKEN: []}]
    if call.bodies:
        shown["requestBody"] = {
            "required": call.body_required,
            "content": {name: {"schema": shape} for name, shape in call.bodies.items()},
        }
    return shown


def _description(call: Call) -> str:
    if not call.permissions:
        return call.description
    needed = f"Needs one of the permissions {', '.join(sorted(call.permissions))}."
    return f"{call.description}\n\n{needed}".strip()


def _replies(call: Call) -> Mapping[int, Reply]:
    return dict(sorted({**_EVERYWHERE, **call.replies}.items()))


def _response(reply: Reply, schemas: Mapping[Model, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {name: {} for name in reply.media_types}
    if reply.models:
        shapes = [schemas[model] for model in reply.models]
        content[JSON] = {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}
    shown: dict[str, Any] = {"description": reply.description}
    if reply.headers:
        shown["headers"] = {
            name: {"description": meaning, "required": True, "schema": {"type": "string"}}
            for name, meaning in reply.headers.items()
        }
    if content:
        shown["content"] = content
    return shown
