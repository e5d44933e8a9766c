"""Resetting a subscription: what a test has done to it is gone."""

from outhaul.accounts.clocks import reset_clock
from outhaul.accounts.tokens import drop_tokens
from outhaul.api.service import Service
from outhaul.jobs.stepping import drop_jobs
from outhaul.stand_in.journal import Journal
from outhaul.stand_in.orders import Orders


def reset(service: Service, journal: Journal, orders: Orders, subscription: str) -> None:
    """Forget the jobs, tokens, usage, pace, clock and journal of a subscription.

    Its API users, custom services, limits, catalog and records remain.
    """
    jobs = drop_jobs(service.database, subscription)
    orders.reset(subscription)
    reset_clock(service.database, subscription)
    drop_tokens(service.database, subscription)
    service.meter.forget(subscription)
    for job in jobs:
        service.files.delete(job)
    journal.clear(subscription)
