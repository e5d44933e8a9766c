"""Whether a job may be begun now: the rules of the day's quota, as functions of what is known."""

from dataclasses import dataclass

from outhaul.client.foresight import Size

OVERDUE_DAYS = 2


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is known of the day's quota, all in bytes."""

    limit: int
    """The quota of a day."""
    used: int
    """The files that were completed today."""
    in_flight: tuple[Size | None, ...] = ()
    """The foreseen sizes of this run's jobs in the queue; `None` if nothing is known."""
    others: int = 0
    """What the jobs of other runs in the queue are foreseen to have."""

    @property
    def free(self) -> int:
        """What is left if all jobs in the queue end as they are foreseen."""
        held = sum(size.most for size in self.in_flight if size is not None)
        return self.limit - self.used - held - self.others


def fits(size: Size | None, room: Room, days_refused: int) -> bool:
    """Return whether a job of a foreseen size may be begun.

    - A job whose size cannot be foreseen is begun alone, as a sample, if there is any room. While
      it runs, nothing else is begun.
    - A job that is larger than a whole day's quota is begun alone, before anything is spent.
    - A job that was refused on two earlier days was at the front of the second one from its begin.
      Others then spend a share of every day. It is begun alone if there is any room, because there
      will never be more.
    """
    if room.used >= room.limit or None in room.in_flight:
        return False
    if size is not None and size.most <= room.free:
        return True
    if room.in_flight:
        return False
    if days_refused >= OVERDUE_DAYS:
        return True
    if size is None:
        return room.free > 0
    return size.most > room.limit and room.used == 0 == room.others
