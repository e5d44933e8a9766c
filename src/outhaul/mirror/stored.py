"""What an endpoint says it has. Only outhaul says so; of a live instance nothing is known."""

from collections.abc import Mapping

from outhaul.client import HttpError, ProtocolError, Session
from outhaul.client.answers import read
from outhaul.protocol.answers.envelope import Success
from outhaul.protocol.answers.stored import StoredRecords

PATH = "/rest/v1/stats/records.json"


def stored_records(session: Session) -> Mapping[str, StoredRecords]:
    """Return what the endpoint says it has, by the path of the kind; nothing if it does not say.

    Raises `ClientError` if the endpoint cannot be reached.
    """
    try:
        answer = session.call("GET", PATH)
        found = read(Success[StoredRecords], answer, "an answer about stored records")
    except (ProtocolError, HttpError):
        return {}
    return {each.name: each for each in found.result}
