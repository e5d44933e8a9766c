"""Any faults in any order: a run never lies about its file, and never leaves a job untold."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.extracting import OLD, TARGET, UNKNOWN_DOUBLE, Clock, arguments, on_disk, run
from tests.support.misbehaving import (
    ALWAYS,
    FILE,
    GONE,
    RUNNING,
    Close,
    CutOff,
    Endpoint,
    Fault,
    Gzipped,
    Headers,
    Html,
    Http,
    Json,
    OtherBytes,
    Refusal,
    Reset,
    Script,
    Text,
    WithJob,
    WithMembers,
    first,
    from_on,
    nth,
)
from tests.support.misbehaving.faults import Answer

CALLS = ("token", "create", "enqueue", "status", "cancel", "list", "file")
ANSWERS: list[Answer] = [
    Http(204),
    Http(302, "", {"Location": "/elsewhere"}),
    Http(401),
    Http(403),
    Http(404, "Not Found"),
    Http(429, "", {"Retry-After": "3"}),
    Http(500),
    Http(502, "<html>", {"Content-Type": "text/html"}),
    Http(503, "", {"Retry-After": "Sun, 01 Mar 2026 10:00:09 GMT"}),
    Text(""),
    Text("null"),
    Text('{"requestId":"r","succ'),
    Text("id,email\n", "text/csv"),
    Html(),
    Json({"requestId": "r", "success": True}),
    Json({"requestId": "r", "success": True, "result": []}),
    Json({"success": False, "errors": []}),
    *(
        Refusal(code)
        for code in ("601", "602", "603", "606", "607", "608", "611", "615", "713", "1003")
    ),
    Refusal("1029", "Too many jobs in queue"),
    Refusal("1029", "Export daily quota 500MB exceeded"),
    Refusal("1029", "Job already queued"),
    Refusal(1029, GONE),
    Reset(),
    Close(),
    CutOff(0),
    CutOff(25),
    CutOff(10_000),
    Gzipped(),
    Headers({"Content-Length": ""}),
    Headers({"Content-Encoding": "gzip"}),
    Headers({}, status=206),
    OtherBytes(lambda body: body[:-1]),
    OtherBytes(lambda body: body + b"\n"),
    OtherBytes(lambda body: body[1:] + b"X"),
    WithMembers(result=None),
    WithMembers(success=None),
    WithMembers(access_token=GONE),
]
JOBS: list[Answer] = [
    WithJob(status=None),
    WithJob(status="Resting"),
    WithJob(status="Created"),
    WithJob(exportId="ffffffff-0000-4000-8000-000000000000"),
    WithJob(exportId=GONE),
    WithJob(createdAt=GONE),
]
TIMES = st.one_of(
    st.builds(nth, st.integers(1, 5)),
    st.builds(first, st.integers(1, 12)),
    st.builds(from_on, st.integers(1, 5)),
    st.just(ALWAYS),
)
SCRIPTS = [
    Script(),
    Script(course=("Completed",)),
    Script(course=()),
    Script(course=("Processing", "Failed")),
    Script(course=("Queued", "Cancelled")),
]


def _is_ambiguous(answer: Answer) -> bool:
    """Return whether a call with this answer may have had its effect: 429 says that it had none."""
    match answer:
        case Http(status=status):
            return status in {204, 500, 502, 504}
        case Refusal(code=code):
            return code in {"611", "713"}
    return not answer.alters


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    call = draw(st.sampled_from(CALLS))
    # No client can tell that the id of a new job is wrong.
    about_a_job = JOBS if call in {"enqueue", "status", "cancel"} else JOBS[:3]
    answers = ANSWERS if call in {"token", "list", "file"} else ANSWERS + about_a_job
    answer = draw(st.sampled_from(answers))
    effect = draw(st.booleans()) if _is_ambiguous(answer) else None
    return Fault(call, answer, times=draw(TIMES), effect=effect)


@examples(25, derandomize=True)  # the same in each run of the suite; more with "thorough"
@given(st.lists(faults(), min_size=1, max_size=6), st.sampled_from(SCRIPTS))
def test_a_run_tells_the_truth(given_faults: list[Fault], script: Script) -> None:
    clock = Clock()
    endpoint = Endpoint(script=script, faults=given_faults, clock=clock.moment)
    other = endpoint.add_job(age=86_400)
    with TemporaryDirectory() as name, endpoint.serving() as url:
        folder = Path(name)
        (folder / TARGET).write_bytes(OLD)
        ended = run(arguments(url, folder, ["--timeout", "5m"]), clock)
        found = on_disk(folder)
    told = f"{ended.err}\n{endpoint.told()}\n{endpoint.states}"
    assert ended.status in (0, 1), told
    assert ended.out == b"", told
    assert re.search("^error: ", ended.err, re.MULTILINE) or ended.status == 0, told
    assert found[TARGET] == (OLD if ended.status else FILE), told
    assert set(found) <= {TARGET, f"{TARGET}.part", f"{TARGET}.part.json"}, told
    assert ended.status == 1 or set(found) == {TARGET}, told
    assert other.state == "Created", told
    for job in endpoint.jobs[1:]:
        assert job.state not in RUNNING or job.id in ended.err or UNKNOWN_DOUBLE in ended.err, told
        file_is_lost = ended.status == 1 and job.state == "Completed"
        assert not file_is_lost or f"--export-id {job.id}" in ended.err, told
