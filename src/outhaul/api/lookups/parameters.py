"""The parameters of look-ups, each declared once: some are shared by several look-ups."""

from outhaul.api.calls import Parameter, path_parameter
from outhaul.protocol.shapes import BOOLEAN, INTEGER, TEXT, one_of

_SEVERAL = "Repeat the parameter, or join several values by commas."


def integer(name: str, description: str) -> Parameter:
    """Return a parameter that is one integer."""
    return Parameter(name=name, shape=INTEGER, description=description)


def integers(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a parameter that is several integers."""
    shape = {"type": "array", "items": INTEGER}
    return Parameter(
        name=name, shape=shape, description=f"{description} {_SEVERAL}", required=required
    )


def texts(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a parameter that is several texts."""
    shape = {"type": "array", "items": {"type": "string"}}
    return Parameter(
        name=name, shape=shape, description=f"{description} {_SEVERAL}", required=required
    )


def text(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a parameter that is one text."""
    return Parameter(name=name, shape=TEXT, description=description, required=required)


def choice(name: str, *names: str, description: str) -> Parameter:
    """Return a parameter that is one of some names."""
    return Parameter(
        name=name, shape=one_of(*names, description=description), description=description
    )


def instant(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a parameter that is a moment."""
    shape = {"type": "string", "examples": ["2026-01-31T23:59:59Z"]}
    described = f"{description} ISO 8601, without an offset in UTC."
    return Parameter(name=name, shape=shape, description=described, required=required)


def boolean(name: str, description: str) -> Parameter:
    """Return a parameter that is true or false, which are also written 1 and 0."""
    return Parameter(name=name, shape=BOOLEAN, description=description)


def size(name: str, largest: int, default: int) -> Parameter:
    """Return a parameter that says how many records a page has."""
    return Parameter(
        name=name,
        shape={"type": "integer", "minimum": 1, "default": default},
        description=f"Records on a page. A number larger than {largest} counts as {largest}.",
    )


def path_id(name: str, what: str) -> Parameter:
    """Return a parameter that is the id of something, in the path."""
    return path_parameter(name, INTEGER, f"The id of a {what}.")


LARGEST_PAGE = 300
"""Most records on a page of the lead database, and as many as there are if a call does not say."""

BATCH_SIZE = size("batchSize", LARGEST_PAGE, LARGEST_PAGE)
NEXT_PAGE_TOKEN = text("nextPageToken", "The token of the page before.")
OFFSET = Parameter(
    name="offset",
    shape={"type": "integer", "minimum": 0, "default": 0},
    description="Records before the page.",
)
EARLIEST = instant("earliestUpdatedAt", "Only assets that were changed then or later.")
LATEST = instant("latestUpdatedAt", "Only assets that were changed then or earlier.")

IN_PROGRAMS = (
    integers("id", "Only those with one of these ids."),
    texts("name", "Only those with one of these names."),
    texts("programName", "Only those of one of these programs."),
    texts("workspaceName", "Only those of one of these workspaces."),
)
LIST_ID = path_id("listId", "static list")
