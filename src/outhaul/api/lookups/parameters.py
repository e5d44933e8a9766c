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
    """Return a parameter that is the id of something, in the path."""
    return path_parameter(name, INTEGER, f"The id of a {what}.")


LARGEST_PAGE = 300
"""Most records on a page of the lead database, and as many as there are if a call does not say."""

BATCH_SIZE = size("batchSize", LARGEST_PAGE, LARGEST_PAGE)
NEXT_PAGE_TOKEN = text("nextPageToken", "The token of the page before.")
EARLIEST = instant("earliestUpdatedAt", "Only assets that were changed then or later.")
LATEST = instant("latestUpdatedAt", "Only assets that were changed then or earlier.")

IN_PROGRAMS = (
    integers("id", "Only those with one of these ids."),
    texts("name", "Only those with one of these names."),
    texts("programName", "Only those of one of these programs."),
    texts("workspaceName", "Only those of one of these workspaces."),
)
LIST_ID = path_id("listId", "static list")
