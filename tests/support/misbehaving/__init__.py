"""A bulk extract endpoint that behaves well, except where a test declares that it does not.

    endpoint = Endpoint(faults=[Fault("status", Http(502), times=first(3))])
    with endpoint.serving() as url:
        ...  # call it with any client
    assert endpoint.states == ["Completed"]
    assert endpoint.count("status") == 5

It is a real HTTP server on a free loopback port. A *fault* says which call, which time, what is
answered instead, and whether the call takes effect all the same. The module `faults` has the
answers. Nothing happens by the clock: jobs move on with each look at their state, or by hand.
"""

from tests.support.misbehaving.endpoint import CLIENT_ID, CLIENT_SECRET, Endpoint
from tests.support.misbehaving.faults import (
    ALWAYS,
    ByteByByte,
    Close,
    CutOff,
    Fault,
    Gzipped,
    Hang,
    Headers,
    Html,
    Http,
    Json,
    OtherBytes,
    Refusal,
    Reset,
    Right,
    Text,
    WithJob,
    WithMembers,
    first,
    from_on,
    nth,
)
from tests.support.misbehaving.jobs import FILE, GONE, RUNNING, ExportJob, Script, lines, sha256
from tests.support.misbehaving.journal import Call
from tests.support.misbehaving.wire import Reply, Then

__all__ = [
    "ALWAYS",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "FILE",
    "GONE",
    "RUNNING",
    "ByteByByte",
    "Call",
    "Close",
    "CutOff",
    "Endpoint",
    "ExportJob",
    "Fault",
    "Gzipped",
    "Hang",
    "Headers",
    "Html",
    "Http",
    "Json",
    "OtherBytes",
    "Refusal",
    "Reply",
    "Reset",
    "Right",
    "Script",
    "Text",
    "Then",
    "WithJob",
    "WithMembers",
    "first",
    "from_on",
    "lines",
    "nth",
    "sha256",
]
