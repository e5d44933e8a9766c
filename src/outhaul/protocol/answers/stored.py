"""The answer about stored records, which only outhaul gives."""

from outhaul.protocol.answers.model import Answer, Count, Instant


class StoredDay(Answer):
    """The activities of a day in UTC. `stored_at` is when some of them were written last."""

    day: str
    records: Count
    stored_at: Instant


class StoredRecords(Answer):
    """The records of a kind, whether they are shown or have expired.

    `name` is the path of the kind, such as `customobjects/car`. `first` and `last` are the least
    and the greatest moment by which exports filter: the date of activities, otherwise that of the
    latest change. They are absent without records. `days` are those with activities.
    """

    name: str
    records: Count
    first: Instant | None = None
    last: Instant | None = None
    days: list[StoredDay] | None = None
