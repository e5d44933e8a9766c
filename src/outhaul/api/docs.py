"""The page `/docs`: the description of the API for people, in plain HTML.

The server renders the page, so that it needs no script and no other host: the network of an
installation may not reach the internet.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

DOCS = "/docs"

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_SHORT = 2
_SCHEMAS = "#/components/schemas/"

Shown = Mapping[str, Any]


def docs_page(openapi: Callable[[], Shown]) -> Callable[[Request], Response]:
    """Return the endpoint of the page. `openapi` returns the description that it shows."""
    page = cache(lambda: render(openapi()))

    def docs(_: Request) -> Response:
        return HTMLResponse(page(), headers=_HEADERS)

    return docs


def render(description: Shown) -> str:
    """Return an OpenAPI description as an HTML page."""
    info = description["info"]
    style = files(__package__).joinpath("docs.css").read_text("utf-8")
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{style}</style></head><body>",
            f"<nav><h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            *_contents(description),
            "</nav><main>",
            *(f"<p>{_text(paragraph)}</p>" for paragraph in info["description"].split("\n\n")),
            '<p><a href="openapi.json">The same as OpenAPI 3.1</a></p>',
            *_security(description),
            *_operations(description),
            *_schemas(description),
            "</main></body></html>",
        ]
    )


def _by_tag(description: Shown) -> Mapping[str, list[tuple[str, str, Shown]]]:
    found: dict[str, list[tuple[str, str, Shown]]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for tag in operation["tags"]:
                found.setdefault(tag, []).append((method.upper(), path, operation))
    return found


def _contents(description: Shown) -> Iterator[str]:
    for tag, operations in _by_tag(description).items():
        yield f"<details open><summary>{escape(tag)}</summary><ul>"
        for method, path, operation in operations:
            yield (
                f'<li><a href="#{escape(operation["operationId"])}"><b>{method}</b> '
                f"{_path(path)}</a></li>"
            )
        yield "</ul></details>"
    yield "<details><summary>schemas</summary><ul>"
    for name in description["components"]["schemas"]:
        yield f'<li><a href="#schema-{escape(name)}">{escape(name)}</a></li>'
    yield "</ul></details>"


def _security(description: Shown) -> Iterator[str]:
    yield "<h2>Access</h2><dl>"
    for name, scheme in description["components"]["securitySchemes"].items():
        yield f"<dt><code>{escape(name)}</code></dt><dd>{_text(scheme['description'])}</dd>"
    yield "</dl>"


def _operations(description: Shown) -> Iterator[str]:
    for tag, operations in _by_tag(description).items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in operations:
            yield f'<section id="{escape(operation["operationId"])}">'
            yield f'<h3><span class="{method.lower()}">{method}</span> {_path(path)}</h3>'
            yield f"<p>{_text(operation['summary'])}</p>"
            if operation["description"]:
                yield f"<p>{_text(operation['description'])}</p>"
            yield f"<pre>{escape(_example(method, path, operation))}</pre>"
            yield from _parameters(operation)
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"<h4>Body, <code>{escape(media_type)}</code></h4>"
                yield _shape(content["schema"])
            yield from _answers(operation)
            yield "</section>"


def _parameters(operation: Shown) -> Iterator[str]:
    if not operation["parameters"]:
        return
    yield "<h4>Parameters</h4><table><tr><th>name<th>in<th>type<th>meaning</tr>"
    for entry in operation["parameters"]:
        needed = " <em>required</em>" if entry["required"] else ""
        yield (
            f"<tr><td><code>{escape(entry['name'])}</code>{needed}<td>{entry['in']}"
            f"<td>{_type(entry['schema'])}<td>{_text(entry['description'])}</tr>"
        )
    yield "</table>"


def _answers(operation: Shown) -> Iterator[str]:
    yield "<h4>Answers</h4><table><tr><th>status<th>content<th>meaning</tr>"
    for status, reply in operation["responses"].items():
        content = "<br>".join(
            f"<code>{escape(media_type)}</code> {_type(body['schema']) if body else ''}"
            for media_type, body in reply.get("content", {}).items()
        )
        headers = "".join(
            f"<br><code>{escape(name)}</code>: {_text(header['description'])}"
            for name, header in reply.get("headers", {}).items()
        )
        meaning = f"{_text(reply['description'])}{headers}"
        yield f"<tr><td>{status}<td>{content}<td>{meaning}</tr>"
    yield "</table>"


def _schemas(description: Shown) -> Iterator[str]:
    yield "<h2>Schemas</h2>"
    for name, schema in description["components"]["schemas"].items():
        yield f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        yield f"<p>{_text(schema.get('description', ''))}</p>{_shape(schema)}</section>"


def _shape(schema: Shown) -> str:
    """Return a table of the members of an object, or the type of anything else."""
    if "properties" not in schema:
        return f"<p>{_type(schema)}</p>"
    needed = schema.get("required", ())
    rows = [
        f"<tr><td><code>{escape(name)}</code>{' <em>required</em>' if name in needed else ''}"
        f"<td>{_type(member)}<td>{_meaning(member)}</tr>"
        for name, member in schema["properties"].items()
    ]
    further = ""
    if schema.get("additionalProperties") is True:
        further = "<tr><td>…<td>any<td>More members, as they were loaded.</tr>"
    return f"<table><tr><th>member<th>type<th>meaning</tr>{''.join(rows)}{further}</table>"


def _meaning(schema: Shown) -> str:
    """Return the meaning of a member, with the members of the object that it is."""
    shown = _text(schema.get("description", ""))
    if "default" in schema:
        shown += f" Default: <code>{escape(json.dumps(schema['default']))}</code>."
    for example in schema.get("examples", ()):
        shown += f" Example: <code>{escape(str(example))}</code>."
    first = next((one for one in schema.get("anyOf", ()) if "properties" in one), schema)
    return shown + (_shape(first) if "properties" in first else "")


def _type(schema: Shown) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    for way in ("anyOf", "oneOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[way])))
    if "enum" in schema or "const" in schema:
        return _values(schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    of = schema.get("type", "any")
    names = " or ".join(of) if isinstance(of, list) else of
    return escape(f"{names}, {schema['format']}" if "format" in schema else names)


def _values(values: Iterable[object]) -> str:
    return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)


def _example(method: str, path: str, operation: Shown) -> str:
    """Return a shell command that makes the call."""
    lines = [{"GET": "curl", "HEAD": "curl --head"}.get(method, f"curl -X {method}")]
    if "security" in operation:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    query = [
        f"--url-query '{entry['name']}=…'"
        for entry in operation["parameters"]
        if entry["in"] == "query" and entry["required"]
    ]
    if query:
        lines.extend(query)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        lines.append("--json @request.json")
    lines.append(f'"$URL{path}"')
    return " ".join(lines) if len(lines) <= _SHORT else " \\\n  ".join(lines)


def _path(path: str) -> str:
    """Return a path as HTML that a browser may wrap before each slash."""
    return escape(path).replace("/", "<wbr>/")


def _text(text: str) -> str:
    """Return a text of the description as HTML; backticks become code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))
