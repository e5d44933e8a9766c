"""Calls and errors of a subscription, by day."""

from outhaul.protocol.answers.model import Answer, Count, LocalInstant


class UserCount(Answer):
    """The calls of one API user, named by the e-mail address."""

    user_id: str
    count: Count


class UsageDay(Answer):
    """The calls of a day, which begins at `date`."""

    date: LocalInstant
    total: Count
    users: list[UserCount]


class ErrorCount(Answer):
    """How often calls were answered with one error."""

    error_code: str
    count: Count


class ErrorDay(Answer):
    """The errors of a day, which begins at `date`."""

    date: LocalInstant
    total: Count
    errors: list[ErrorCount]
