"""How a look-up is answered: permission, parameters, a page, an envelope; the same for each.

A look-up is a declaration. Its one function takes a `Query` and returns what it `Found`. Parameters
that it does not read are ignored, as clients send some of their own; of one that is repeated where
it stands for a single value, the last counts.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.tokens import Caller
from outhaul.api.calls import FORM, Call, Model, Reply, form_of
from outhaul.api.json import JsonResponse
from outhaul.api.lookups.parameters import LARGEST_PAGE
from outhaul.api.service import Service, call_id
from outhaul.catalog.store import Catalog
from outhaul.errors import ApiError, Error
from outhaul.lake.snapshot import Lake
from outhaul.protocol.answers.envelope import Failure, Found, Page
from outhaul.protocol.body import INTEGER_RANGE, wrong_type
from outhaul.protocol.instants import EXPECTED, parse_asset_instant
from outhaul.protocol.paging import decode_token, encode_token
from outhaul.protocol.parameters import Parameter

_DIGITS = 19
_FOUND = "What was found, or a failure."
_METHOD = Parameter(
    name="_method",
    shape={"type": "string", "enum": ["GET"]},
    description="Says that the call only reads.",
    required=True,
)
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class Query:
    """A call of a look-up: who asks, and what for.

    The readers of parameters return `None`, or nothing, where the parameter is missing or empty,
    and raise 1001 with its name where it is of a wrong type.
    """

    def __init__(
        self,
        service: Service,
        caller: Caller,
        path: Mapping[str, str],
        given: QueryParams,
        declared: Container[str],
    ) -> None:
        self.service = service
        self.caller = caller
        self._path = path
        self._given = given
        self._declared = declared

    @property
    def lake(self) -> Lake:
        """The records of the caller's subscription."""
        return self.service.lake(self.caller)

    @property
    def catalog(self) -> Catalog:
        """The catalog of the caller's subscription."""
        return self.service.context(self.caller).catalog

    def path_id(self, name: str) -> int:
        """Return an id that is part of the path."""
        return _integer(self._path[name], name)

    def path_text(self, name: str) -> str:
        """Return a name that is part of the path."""
        return _text(self._path[name], name)

    def text(self, name: str) -> str | None:
        """Return a text."""
        values = self._values(name)
        return _text(values[-1], name) if values and values[-1] else None

    def required(self, name: str) -> str:
        """Return a text. Raises 1002 where there is none."""
        text = self.text(name)
        if text is None:
            raise Error.PARAMETER_MISSING(parameter=name)
        return text

    def texts(self, name: str) -> list[str]:
        """Return several texts: the parameter is repeated, or its values are joined by commas."""
        values = (_text(value, name) for value in self._values(name))
        return [piece.strip() for value in values for piece in value.split(",") if piece.strip()]

    def names(self, name: str) -> list[str]:
        """Return several names, which may hold commas of their own: the whole, and its pieces."""
        whole = [value for value in self._values(name) if value]
        return list(dict.fromkeys([*whole, *self.texts(name)]))

    def some_texts(self, name: str) -> list[str]:
        """Return several texts. Raises 1002 where there is none."""
        texts = self.texts(name)
        if not texts:
            raise Error.PARAMETER_MISSING(parameter=name)
        return texts

    def integers(self, name: str) -> list[int]:
        """Return several integers."""
        return [_integer(text, name) for text in self.texts(name)]

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        text = self.text(name)
        return None if text is None else _integer(text.strip(), name)

    def boolean(self, name: str) -> bool | None:
        """Return a truth value."""
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in _TRUTHS:
            raise wrong_type(text, name, "boolean")
        return _TRUTHS[text.lower()]

    def instant(self, name: str) -> datetime | None:
        """Return a moment."""
        text = self.text(name)
        if text is None:
            return None
        try:
            # An offset's plus sign that was not escaped arrives as a space.
            return parse_asset_instant(text.replace(" ", "+"))
        except ValueError:
            raise wrong_type(text, name, EXPECTED) from None

    def size(self, name: str, default: int, most: int) -> int:
        """Return how many records a page should have; a larger number than allowed is cut."""
        text = self.text(name)
        if text is None:
            return default
        if not _is_count(text) or int(text) == 0:
            raise wrong_type(text, name, "positive integer")
        return min(int(text), most)

    def offset(self) -> int:
        """Return how many records come before the page."""
        text = self.text("offset")
        if text is None:
            return 0
        if not _is_count(text) or int(text) not in INTEGER_RANGE:
            raise wrong_type(text, "offset", "integer, 0 or more")
        return int(text)

    def batch_size(self) -> int:
        """Return how many records of the lead database a page should have."""
        return self.size("batchSize", LARGEST_PAGE, LARGEST_PAGE)

    def _values(self, name: str) -> list[str]:
        """Return all values of a parameter; reading one that is not declared is a defect."""
        assert name in self._declared, name  # noqa: S101 - a test of the look-up fails
        return self._given.getlist(name)

    def place_after(self, what: str) -> int | None:
        """Return the id that the page before ended with, as `token_after` wrote it."""
        found = self.place(what, 1)
        if found is None:
            return None
        try:
            return _integer(found[0], "nextPageToken")
        except ApiError:
            raise no_token(what) from None

    def place(self, what: str, length: int) -> tuple[str, ...] | None:
        """Return the place, of `length` texts, that the page before ended at."""
        token = self.text("nextPageToken")
        if token is None:
            return None
        try:
            known, *place = decode_token(token, length + 1)
        except ValueError:
            raise no_token(what) from None
        if known != what:
            raise no_token(what)
        return tuple(place)


def token_after(what: str, last: int) -> str:
    """Return the token of the page that follows the record `last`.

    Ids never change, so that every record is visited once, whatever is loaded between two pages.
    """
    return encode_token((what, str(last)))


def no_token(what: str) -> ApiError:
    """Return 1003 for a token that is none of a page of `what`."""
    return Error.INVALID(parameter="nextPageToken", problem=f"it is no token of a page of {what}")


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """A look-up: where it is, who may ask, how the answer is found, and what its shape is."""

    path: str
    permissions: frozenset[str]
    """A caller needs one of them."""
    find: Callable[[Query], Found]
    parameters: tuple[Parameter, ...] = ()
    """What `find` reads of the path and the query; it can read no others."""
    result: Model
    """The declared answer that each record of the result is; `None` where there is no result."""
    envelope: Model = Page

    @property
    def answer(self) -> Model:
        """The declared answer of the whole look-up."""
        return self.envelope if self.result is None else self.envelope[self.result]

    @property
    def names(self) -> frozenset[str]:
        """The names of the parameters in the query."""
        return frozenset(entry.name for entry in self.parameters if entry.location == "query")


def lookup_calls(service: Service, about: str, lookups: Iterable[Lookup]) -> list[Call]:
    """Return the calls of a family of look-ups."""
    return [call for lookup in lookups for call in _calls(service, about, lookup)]


def _calls(service: Service, about: str, lookup: Lookup) -> Iterator[Call]:
    answer = _endpoint(service, lookup)
    in_path = tuple(entry for entry in lookup.parameters if entry.location == "path")
    in_query = tuple(entry for entry in lookup.parameters if entry.location == "query")
    got = Call(
        method="GET",
        path=lookup.path,
        endpoint=_got(answer),
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
        endpoint=_posted(answer),
        operation_id=f"{got.operation_id}_posted",
        description="The same as GET. The form has what does not fit into a URI. Parameters may "
        "also be in the query.",
        parameters=(*in_path, *(replace(entry, required=False) for entry in (_METHOD, *in_query))),
        body=form_of((_METHOD, *in_query)),
        body_type=FORM,
        body_required=False,
    )


def allowed(*areas: str) -> frozenset[str]:
    """Return the permissions to read `areas`."""
    return frozenset(f"{way} {area}" for area in areas for way in ("Read-Only", "Read-Write"))


def _endpoint(service: Service, lookup: Lookup) -> Callable[[Request, QueryParams], Response]:
    def answer(request: Request, given: QueryParams) -> Response:
        caller = service.caller(request)
        caller.require(lookup.permissions)
        query = Query(service, caller, request.path_params, given, lookup.names)
        answer = lookup.envelope.of(call_id(request), lookup.find(query))
        # Numbers of attributes are written as Python writes them, which Pydantic does not.
        return JsonResponse(answer.to_wire())

    return answer


def _got(
    answer: Callable[[Request, QueryParams], Response],
) -> Callable[[Request], Response]:
    def get(request: Request) -> Response:
        return answer(request, request.query_params)

    return get


def _posted(
    answer: Callable[[Request, QueryParams], Response],
) -> Callable[[Request], Awaitable[Response]]:
    async def post(request: Request) -> Response:
        """Answer a POST that says `_method=GET`: its form has what would not fit into a URI."""
        form = parse_qsl((await request.body()).decode("utf-8", "replace"))
        given = QueryParams([*request.query_params.multi_items(), *form])
        if given.get(_METHOD.name, "").upper() != "GET":
            raise Error.METHOD_NOT_SUPPORTED(method=request.method, path=request.url.path)
        return await run_in_threadpool(answer, request, given)

    return post


def _operation(path: str) -> str:
    return path.removesuffix(".json").strip("/").translate(str.maketrans("/.", "__", "{}"))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def _integer(text: str, name: str) -> int:
    if not _is_count(text.removeprefix("-")) or int(text) not in INTEGER_RANGE:
        raise wrong_type(text, name, "integer")
    return int(text)


def _text(text: str, name: str) -> str:
    # No database keeps NUL bytes in texts, and PostgreSQL fails on a question about them.
    if "\0" in text:
        raise wrong_type(text, name, "string without NUL bytes")
    return text
