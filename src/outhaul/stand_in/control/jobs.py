"""Control calls about export jobs, their steps, and the pace of a subscription."""

import asyncio
import time
from typing import Annotated, Any

from pydantic import Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outhaul.accounts.clocks import clock_of
from outhaul.accounts.subscriptions import Subscription
from outhaul.api.json import JsonResponse
from outhaul.jobs.stepping import (
    JobMissingError,
    Owned,
    StepError,
    all_jobs,
    any_job,
    check_step,
    end_job,
)
from outhaul.protocol.states import State as JobState
from outhaul.stand_in.control.requests import Body, ControlError, read_body, read_query
from outhaul.stand_in.control.state import State
from outhaul.stand_in.orders import Mode

LOOK_SECONDS = 0.01
"""Interval at which a step looks whether the worker has done it."""

_ENDS = (JobState.FAILED, JobState.CANCELLED)
_TARGETS = (JobState.PROCESSING, JobState.COMPLETED, *_ENDS)


class Step(Body):
    """The state that a job is to get into."""

    to: str
    message: str | None = Field(default=None, min_length=1, max_length=10_000)
    """The `errorMsg` of a job that becomes Failed."""
    wait_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Longest time to wait for the worker."""

    @model_validator(mode="after")
    def _is_possible(self) -> "Step":
        if self.to not in _TARGETS:
            raise ControlError(400, f"to must be one of {', '.join(_TARGETS)}", "to")
        if self.message is not None and self.to != JobState.FAILED:
            raise ControlError(400, "message is only for a job that becomes Failed", "message")
        return self


class Pace(Body):
    """Whether jobs go on by themselves."""

    mode: str

    @model_validator(mode="after")
    def _is_known(self) -> "Pace":
        if self.mode not in list(Mode):
            raise ControlError(400, f"mode must be one of {', '.join(Mode)}", "mode")
        return self


def jobs_routes(state: State) -> list[Route]:
    """Return the routes of export jobs."""
    routes = _Routes(state)
    base = "/_outhaul/subscriptions/{name}"
    return [
        Route(f"{base}/jobs", routes.jobs, methods=["GET"]),
        Route(f"{base}/jobs/{{job}}", routes.job, methods=["GET"]),
        Route(f"{base}/jobs/{{job}}/step", routes.step, methods=["POST"]),
        Route(f"{base}/pace", routes.pace, methods=["GET"]),
        Route(f"{base}/pace", routes.set_pace, methods=["PUT"]),
    ]


class _Routes:
    def __init__(self, state: State) -> None:
        self._state = state
        self._database = state.service.database

    async def jobs(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        found = await run_in_threadpool(all_jobs, self._database, subscription.name)
        return JsonResponse({"jobs": [_shown(each) for each in found]})

    async def job(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        return JsonResponse(_shown(await self._job(subscription, request.path_params["job"])))

    async def step(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        step = await read_body(request, Step)
        owned = await self._job(subscription, request.path_params["job"])
        try:
            check_step(owned.job, JobState(step.to))
            if step.to in _ENDS:
                done = await run_in_threadpool(self._end, subscription, owned, step)
            else:
                done = await self._go_on(subscription, owned, step)
        except StepError as error:
            raise ControlError(409, str(error), "to") from None
        return JsonResponse(_shown(done))

    async def pace(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        return JsonResponse({"mode": self._state.orders.mode(subscription.name)})

    async def set_pace(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        pace = await read_body(request, Pace)
        self._state.orders.set_mode(subscription.name, Mode(pace.mode))
        self._state.wake()
        return JsonResponse({"mode": pace.mode})

    async def _job(self, subscription: Subscription, job_id: str) -> Owned:
        try:
            return await run_in_threadpool(any_job, self._database, subscription.name, job_id)
        except JobMissingError:
            raise ControlError(
                404,
                f"the subscription {subscription.name!r} has no export job {job_id[:100]!r}",
                "job",
            ) from None

    def _end(self, subscription: Subscription, owned: Owned, step: Step) -> Owned:
        message = step.message or "the job was failed by hand"
        self._state.orders.settle(owned.job.id)
        clock = clock_of(self._database, subscription.name)
        moment = clock.at(self._state.service.clock())
        return end_job(
            self._database,
            subscription.name,
            owned.job.id,
            JobState(step.to),
            moment,
            message=message if step.to == JobState.FAILED else None,
        )

    async def _go_on(self, subscription: Subscription, owned: Owned, step: Step) -> Owned:
        """Order a job to go on, and wait until the worker has done it."""
        orders, before = self._state.orders, owned.job
        if before.state is JobState.QUEUED:
            await self._check_room(subscription)
            orders.start(subscription.name, before.id)
        else:
            orders.complete(subscription.name, before.id)
        self._state.wake()
        last = time.monotonic() + step.wait_seconds
        while True:
            now = await self._job(subscription, before.id)
            # A job that goes on by itself may be past Processing already.
            if now.job.state in (step.to, JobState.COMPLETED):
                if now.job.state is JobState.COMPLETED:
                    orders.settle(before.id)
                return now
            if now.job.state is not before.state:
                raise StepError(f"export job {before.id} became {now.job.state} meanwhile")
            if time.monotonic() > last:
                raise StepError(
                    f"export job {before.id} is still {before.state} after {step.wait_seconds:g} "
                    f"seconds; it becomes {step.to} as soon as nothing else holds it"
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def _check_room(self, subscription: Subscription) -> None:
        service = self._state.service
        clock = await run_in_threadpool(clock_of, self._database, subscription.name)
        moment = clock.at(service.clock())
        limits = service.settings.limits_of(subscription.limit_overrides, moment)
        jobs = await run_in_threadpool(all_jobs, self._database, subscription.name)
        running = sum(each.job.state is JobState.PROCESSING for each in jobs)
        if limits.processing_jobs is not None and running >= limits.processing_jobs:
            raise StepError(
                f"{running} jobs are Processing, which is the limit processing_jobs; "
                "complete, fail or cancel one of them first"
            )


def _shown(owned: Owned) -> dict[str, Any]:
    job, email = owned
    return {
        **job.to_answer().to_wire(),
        "kind": job.kind,
        "user": email,
        "request": job.request.to_json(),
    }
