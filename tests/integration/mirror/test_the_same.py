"""What a mirror serves is what the original serves, byte for byte."""

from tests.support.mirroring import Endpoint, Side, assert_same, mirror


def test_a_mirror_serves_the_same(endpoint: Endpoint, copy: Side) -> None:
    summary = mirror(endpoint, copy)
    assert (summary.outcome, summary.errors) == ("complete", [])
    assert_same(endpoint, copy)
    assert not [code for _, _, code in endpoint.seen if code]
