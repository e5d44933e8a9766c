"""The parameters that several look-ups share."""

from outhaul.protocol.parameters import (
    Parameter,
    instant,
    integers,
    path_parameter,
    size,
    text,
    texts,
)
from outhaul.protocol.shapes import INTEGER


def path_id(name: str, what: str) -> Parameter:
    """Return the path parameter for the id of a `what`."""
    return path_parameter(name, INTEGER, f"The id of a {what}.")


LARGEST_PAGE = 300
"""The largest number of records on a page of the lead database, which is also the default."""

BATCH_SIZE = size("batchSize", LARGEST_PAGE, LARGEST_PAGE)
NEXT_PAGE_TOKEN = text("nextPageToken", "The token of the previous page.")
EARLIEST = instant("earliestUpdatedAt", "Only assets that were updated at this moment or later.")
LATEST = instant("latestUpdatedAt", "Only assets that were updated at this moment or earlier.")

IN_PROGRAMS = (
    integers("id", "Only assets with one of these ids."),
    texts("name", "Only assets with one of these names."),
    texts("programName", "Only assets of one of these programs."),
    texts("workspaceName", "Only assets of one of these workspaces."),
)
LIST_ID = path_id("listId", "static list")
