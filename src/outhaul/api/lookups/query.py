"""The query of a look-up: the caller, and its parameters with their types checked.

Unknown parameters are ignored, because clients send some. If a parameter with a single value is
repeated, the last value is used.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

import polars as pl

from outhaul.accounts.tokens import Caller
from outhaul.api.lookups.parameters import LARGEST_PAGE
from outhaul.api.lookups.posted import Posted
from outhaul.api.service import Service
from outhaul.catalog.store import Catalog
from outhaul.errors import ApiError, Error
from outhaul.kinds.filter import Context
from outhaul.lake.failures import LakeError
from outhaul.lake.merges import winners_of
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table
from outhaul.protocol.body import parsed_integer, wrong_type
from outhaul.protocol.instants import EXPECTED, parse_instant
from outhaul.protocol.paging import decode_token, encode_token
from outhaul.protocol.scalars import parse_boolean

_DAY = len("2026-01-31")


class Query:
    """A call of a look-up: the caller and the parameters.

    A method that reads a parameter returns `None` or an empty list if the parameter is missing or
    empty. It raises 1001 with the name of the parameter if the value has a wrong type.
    """

    def __init__(
        self,
        service: Service,
        caller: Caller,
        path: Mapping[str, str],
        given: Posted,
        declared: Container[str],
    ) -> None:
        self.service = service
        self.caller = caller
        self._path = path
        self._given = given.parameters
        self.input = given.input
        """The compound keys of a JSON body, as they were sent; `None` without them."""
        self._declared = declared

    @property
    def lake(self) -> Lake:
        """The lake of the caller's subscription."""
        return self.service.lake(self.caller)

    @property
    def catalog(self) -> Catalog:
        """The catalog of the caller's subscription."""
        return self.context.catalog

    @property
    def context(self) -> Context:
        """The catalog, the limits of the subscription, and the current time."""
        return self.service.context(self.caller)

    def columns(self, table: Table) -> Mapping[str, pl.DataType]:
        """Return the types of the columns that a table has; nothing if it cannot be read."""
        try:
            snapshot = self.lake.snapshot(table)
        except LakeError:
            return {}  # descriptions are answered from the catalog during an outage of the lake
        return {} if snapshot is None else snapshot.columns

    def winner(self, lead: int) -> int:
        """Return the winner of a lead that lost in a merge; the lead itself if it did not."""
        return self.winners([lead]).get(lead, lead)

    def winners(self, leads: Iterable[int]) -> Mapping[int, int]:
        """Return the winner of each of some leads that lost in a merge."""
        return winners_of(self.lake, leads)

    def path_id(self, name: str) -> int:
        """Return an id in the path."""
        return parsed_integer(self._path[name], name)

    def path_text(self, name: str) -> str:
        """Return a name in the path."""
        return _text(self._path[name], name)

    def text(self, name: str) -> str | None:
        """Return the text of a parameter."""
        values = self._values(name)
        return _text(values[-1], name) if values and values[-1] else None

    def required(self, name: str) -> str:
        """Return the text of a parameter. Raises 1002 if it is missing."""
        text = self.text(name)
        if text is None:
            raise Error.PARAMETER_MISSING(parameter=name)
        return text

    def texts(self, name: str) -> list[str]:
        """Return several texts: the parameter is repeated, or its values are joined by commas."""
        values = (_text(value, name) for value in self._values(name))
        return [piece.strip() for value in values for piece in value.split(",") if piece.strip()]

    def names(self, name: str) -> list[str]:
        """Return several names. A name may contain commas, so each value is also one whole name."""
        whole = [value for value in self._values(name) if value]
        return list(dict.fromkeys([*whole, *self.texts(name)]))

    def some_texts(self, name: str) -> list[str]:
        """Return several texts. Raises 1002 if there are none."""
        texts = self.texts(name)
        if not texts:
            raise Error.PARAMETER_MISSING(parameter=name)
        return texts

    def integers(self, name: str) -> list[int]:
        """Return several integers."""
        return [parsed_integer(text, name) for text in self.texts(name)]

    @staticmethod
    def integer_of(text: str, name: str) -> int:
        """Return the integer that a text of the parameter `name` contains."""
        return parsed_integer(text, name)

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        text = self.text(name)
        return None if text is None else parsed_integer(text, name)

    def boolean(self, name: str) -> bool | None:
        """Return a boolean."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_boolean(text)
        except ValueError:
            raise wrong_type(text, name, "boolean") from None

    def instant(self, name: str) -> datetime | None:
        """Return a moment, in UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_instant(_with_sign(text.strip()))
        except ValueError:
            raise wrong_type(text, name, EXPECTED) from None

    def size(self, name: str, default: int, most: int) -> int:
        """Return how many records a page may have, `most` at the largest."""
        text = self.text(name)
        if text is None:
            return default
        return min(parsed_integer(text, name, at_least=1), most)

    def offset(self) -> int:
        """Return the number of records before the page."""
        text = self.text("offset")
        if text is None:
            return 0
        return parsed_integer(text, "offset", at_least=0)

    def batch_size(self) -> int:
        """Return how many records a page may have in calls of the lead database."""
        return self.size("batchSize", LARGEST_PAGE, LARGEST_PAGE)

    def _values(self, name: str) -> list[str]:
        """Return all values of a parameter, which the look-up must have declared."""
        assert name in self._declared, name  # noqa: S101 - a defect, which tests of the look-up find
        return self._given.getlist(name)

    def last_id(self, what: str) -> int | None:
        """Return the last id of the previous page, from a token of `token_after`."""
        found = self.position(what, 1)
        if found is None:
            return None
        try:
            return parsed_integer(found[0], "nextPageToken")
        except ApiError:
            raise no_token(what) from None

    def position(self, what: str, length: int) -> tuple[str, ...] | None:
        """Return the position, of `length` texts, at which the previous page of `what` ended."""
        token = self.text("nextPageToken")
        if token is None:
            return None
        try:
            known, *position = decode_token(token, length + 1)
        except ValueError:
            raise no_token(what) from None
        if known != what:
            raise no_token(what)
        return tuple(position)


def token_after(what: str, last: int) -> str:
    """Return the token of the page that follows the record with the id `last`.

    Ids never change, so a client gets every record once, even if records are loaded in between.
    """
    return encode_token((what, str(last)))


def no_token(what: str) -> ApiError:
    """Return error 1003: the token does not belong to a page of `what`."""
    return Error.INVALID(parameter="nextPageToken", problem=f"it is no token of a page of {what}")


def _with_sign(text: str) -> str:
    """Return a moment with its plus sign, which arrives as a space if it was not escaped."""
    day, time = text[:_DAY], text[_DAY:]
    return day + time[:1] + time[1:].replace(" ", "+")


def _text(text: str, name: str) -> str:
    # PostgreSQL fails on a query with a NUL byte, and no stored text contains one.
    if "\0" in text:
        raise wrong_type(text, name, "string without NUL bytes")
    return text
