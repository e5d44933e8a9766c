"""The declaration of a look-up, and its answer: permissions, parameters, result, envelope.

A look-up is a `Lookup`, whose one function takes a `Query` and returns what it has `Found`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outhaul.api.calls import FORM, JSON, Call, Model, Reply, form_of
from outhaul.api.json import JsonResponse
from outhaul.api.lookups.posted import INPUT, Posted, read_posted
from outhaul.api.lookups.query import Query
from outhaul.api.service import Service, call_id
from outhaul.errors import Error
from outhaul.protocol.answers.envelope import Failure, Found, Page
from outhaul.protocol.parameters import Parameter
from outhaul.protocol.shapes import Shape

_FOUND = "The result, or a failure."
_METHOD = Parameter(
    name="_method",
    shape={"type": "string", "enum": ["GET"]},
    description="Must be `GET`: the call is a GET whose parameters are in the form.",
    required=True,
)
_KEYS: Shape = {
    "type": "array",
    "items": {"type": "object"},
    "description": "Compound keys, in place of `filterValues`: objects with a value for each field "
    "that `filterType` names.",
}


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """A look-up: its path, its permissions, its parameters, and its answer."""

    path: str
    permissions: frozenset[str]
    """The caller needs one of these."""
    find: Callable[[Query], Found]
    """Finds the result. Its docstring is the summary in the API description."""
    parameters: tuple[Parameter, ...] = ()
    """All parameters that `find` reads, in the path and the query."""
    result: Model
    """The declared answer for each record; `None` if the answer has no `result`."""
    envelope: Model = Page
    keyed: bool = False
    """Whether a JSON body can have compound keys in `input`."""

    @property
    def answer(self) -> Model:
        """The declared answer of the whole look-up."""
        return self.envelope if self.result is None else self.envelope[self.result]

    @property
    def names(self) -> frozenset[str]:
        """The names of the parameters in the query."""
        return frozenset(entry.name for entry in self.parameters if entry.location == "query")


def lookup_calls(service: Service, about: str, lookups: Iterable[Lookup]) -> list[Call]:
    """Return the calls of a family of look-ups: each by GET and by POST."""
    return [call for lookup in lookups for call in _calls(service, about, lookup)]


def _calls(service: Service, about: str, lookup: Lookup) -> Iterator[Call]:
    answer = _answerer(service, lookup)
    in_path = tuple(entry for entry in lookup.parameters if entry.location == "path")
    in_query = tuple(entry for entry in lookup.parameters if entry.location == "query")
    got = Call(
        method="GET",
        path=lookup.path,
        endpoint=_get_endpoint(answer),
        operation_id=_operation(lookup.path),
        tag=f"look up {about}",
        summary=lookup.find.__doc__ or "",
        parameters=lookup.parameters,
        permissions=lookup.permissions,
        replies={200: Reply(description=_FOUND, models=(lookup.answer, Failure))},
    )
    yield got
    yield replace(
        got,
        method="POST",
        endpoint=_post_endpoint(answer),
        operation_id=f"{got.operation_id}_posted",
        description="The same as GET, for parameters that are too long for a URI. The body has the "
        "parameters; some may be in the query.",
        parameters=(*in_path, *(replace(entry, required=False) for entry in (_METHOD, *in_query))),
        bodies=_bodies(lookup, (_METHOD, *in_query)),
        body_required=False,
    )


def allowed(*areas: str) -> frozenset[str]:
    """Return the permissions to read `areas`."""
    return frozenset(f"{way} {area}" for area in areas for way in ("Read-Only", "Read-Write"))


def _bodies(lookup: Lookup, parameters: Sequence[Parameter]) -> Mapping[str, Shape]:
    form = form_of(parameters)
    if not lookup.keyed:
        return {FORM: form}
    return {FORM: form, JSON: {**form, "properties": {**form["properties"], INPUT: _KEYS}}}


def _answerer(service: Service, lookup: Lookup) -> Callable[[Request, Posted], Response]:
    def answer(request: Request, given: Posted) -> Response:
        caller = service.caller(request)
        caller.require(lookup.permissions)
        query = Query(service, caller, request.path_params, given, lookup.names)
        answer = lookup.envelope.of(call_id(request), lookup.find(query))
        # Not `Answer.to_json`: Pydantic writes some numbers of attributes differently from Python.
        return JsonResponse(answer.to_wire())

    return answer


def _get_endpoint(
    answer: Callable[[Request, Posted], Response],
) -> Callable[[Request], Response]:
    def get(request: Request) -> Response:
        return answer(request, Posted(request.query_params))

    return get


def _post_endpoint(
    answer: Callable[[Request, Posted], Response],
) -> Callable[[Request], Awaitable[Response]]:
    async def post(request: Request) -> Response:
        """Answer a POST with `_method=GET`, whose body has parameters too long for a URI."""
        content_type = request.headers.get("content-type", "")
        given = read_posted(request.query_params, content_type, await request.body())
        if given.parameters.get(_METHOD.name, "").upper() != "GET":
            raise Error.METHOD_NOT_SUPPORTED(method=request.method, path=request.url.path)
        return await run_in_threadpool(answer, request, given)

    return post


def _operation(path: str) -> str:
    return path.removesuffix(".json").strip("/").translate(str.maketrans("/.", "__", "{}"))
