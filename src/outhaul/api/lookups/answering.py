"""How a look-up is answered: permission, parameters, a page, an envelope; the same for each.

A look-up is a declaration, and its one function takes a `Query` and returns a `Page`. Parameters
that it does not read are ignored, as clients send some of their own; of one that is repeated where
it stands for a single value, the last counts.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.tokens import Caller
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service, call_id
from outhaul.catalog.store import Catalog
from outhaul.errors import ApiError, Error
from outhaul.lake.snapshot import Lake
from outhaul.protocol.body import INTEGER_RANGE, wrong_type
from outhaul.protocol.envelope import found_assets, success
from outhaul.protocol.instants import EXPECTED, parse_asset_instant
from outhaul.protocol.paging import decode_token, encode_token

LARGEST_PAGE = 300
"""Most records on a page of the lead database, and as many as there are if a call does not say."""

_DIGITS = 19
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a look-up found; there is a `token` where more follows."""

    result: Sequence[Mapping[str, Any]]
    token: str | None = None
    more: bool | None = None
    """Whether more follows, where that is said apart: of activities there is always a token."""


class Query:
    """A call of a look-up: who asks, and what for.

    The readers of parameters return `None`, or nothing, where the parameter is missing or empty,
    and raise 1001 with its name where it is of a wrong type.
    """

    def __init__(
        self, service: Service, caller: Caller, path: Mapping[str, str], given: QueryParams
    ) -> None:
        self.service = service
        self.caller = caller
        self._path = path
        self._given = given

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
        given = self._given.get(name)
        return _text(given, name) if given else None

    def required(self, name: str) -> str:
        """Return a text. Raises 1002 where there is none."""
        text = self.text(name)
        if text is None:
            raise Error.PARAMETER_MISSING(parameter=name)
        return text

    def texts(self, name: str) -> list[str]:
        """Return several texts: the parameter is repeated, or its values are joined by commas."""
        values = (_text(value, name) for value in self._given.getlist(name))
        return [piece.strip() for value in values for piece in value.split(",") if piece.strip()]

    def names(self, name: str) -> list[str]:
        """Return several names, which may hold commas of their own: the whole, and its pieces."""
        whole = [value for value in self._given.getlist(name) if value]
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


Envelope = Callable[[str, Page], dict[str, Any]]


def records_envelope(call: str, page: Page) -> dict[str, Any]:
    """Return an answer of the lead database."""
    body = success(call, page.result, next_page_token=page.token)
    return body if page.more is None else {**body, "moreResult": page.more}


def token_envelope(call: str, page: Page) -> dict[str, Any]:
    """Return an answer that is a token, and finds nothing by itself."""
    body = success(call, (), next_page_token=page.token)
    return {name: value for name, value in body.items() if name != "result"}


def assets_envelope(call: str, page: Page) -> dict[str, Any]:
    """Return an answer about assets."""
    return found_assets(call, page.result)


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """A look-up: where it is, who may ask, and how the answer is found."""

    path: str
    permissions: frozenset[str]
    """A caller needs one of them."""
    find: Callable[[Query], Page]
    parameters: tuple[str, ...] = ()
    """What `find` reads of the query; named for the API's description."""
    envelope: Envelope = records_envelope


class LookupAnswer(BaseModel):
    """The envelope of a look-up."""

    requestId: str  # noqa: N815 - the protocol's name
    success: bool
    result: list[dict[str, Any]] | None = None
    errors: list[dict[str, str]] | None = None
    warnings: list[str] | None = None
    nextPageToken: str | None = None  # noqa: N815 - the protocol's name
    moreResult: bool | None = None  # noqa: N815 - the protocol's name


def lookup_router(service: Service, about: str, lookups: Iterable[Lookup]) -> APIRouter:
    """Return the routes of a family of look-ups."""
    router = APIRouter(tags=[f"look up {about}"])
    for lookup in lookups:
        answer = _endpoint(service, lookup)
        router.add_api_route(
            lookup.path,
            _got(answer),
            methods=["GET"],
            response_model=LookupAnswer,
            summary=lookup.find.__doc__,
            operation_id=_operation(lookup.path),
            openapi_extra={"parameters": [_described(name) for name in lookup.parameters]},
        )
        router.add_api_route(
            lookup.path, _posted(answer), methods=["POST"], include_in_schema=False
        )
    return router


def allowed(*areas: str) -> frozenset[str]:
    """Return the permissions to read `areas`."""
    return frozenset(f"{way} {area}" for area in areas for way in ("Read-Only", "Read-Write"))


def _endpoint(service: Service, lookup: Lookup) -> Callable[[Request, QueryParams], Response]:
    def answer(request: Request, given: QueryParams) -> Response:
        caller = service.caller(request)
        caller.require(lookup.permissions)
        page = lookup.find(Query(service, caller, request.path_params, given))
        return JsonResponse(lookup.envelope(call_id(request), page))

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
        if given.get("_method", "").upper() != "GET":
            raise Error.METHOD_NOT_SUPPORTED(method=request.method, path=request.url.path)
        return await run_in_threadpool(answer, request, given)

    return post


def _operation(path: str) -> str:
    return path.removesuffix(".json").strip("/").translate(str.maketrans("/.", "__", "{}"))


def _described(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


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
