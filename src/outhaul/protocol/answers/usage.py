"""Answers about calls and errors of a subscription, by quota day."""

from datetime import date

from outhaul.protocol.answers.model import Answer, Count


class UserCount(Answer):
    """The number of calls of an API user. `user_id` is the e-mail address."""

    user_id: str
    count: Count


class UsageDay(Answer):
    """The calls of a quota day."""

    date: date
    total: Count
    users: list[UserCount]


class ErrorCount(Answer):
    """The number of calls that were answered with an error code."""

    error_code: str
    count: Count


class ErrorDay(Answer):
    """The errors of a quota day."""

    date: date
    total: Count
    errors: list[ErrorCount]
