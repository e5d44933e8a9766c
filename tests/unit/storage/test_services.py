import pytest

from outhaul.lake.failures import in_a_line
from outhaul.storage.services import is_bucket_missing, reason

DEBUG = "\n\nDebug source:\nGeneric { sig=secret }"
ANSWER = (
    '<?xml version="1.0" encoding="utf-8"?>\n<Error>\n  <Code>ContainerNotFound</Code>\n'
    "  <Message>The specified container does not exist.\nRequestId:1\nTime:2026</Message>\n</Error>"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"Error performing GET http://h/c?sig=secret in 1ms - {ANSWER}", None),
        ("Error performing GET http://h/c?sv=1&sig=secret in 1ms - HTTP error", "HTTP error"),
        ("cannot reach https://h/c?sig=secret", "cannot reach https://h/c"),
    ],
)
def test_an_error_is_told_in_a_line_without_signatures(text: str, said: str | None) -> None:
    expected = said or "ContainerNotFound: The specified container does not exist."
    assert reason(ValueError(text + DEBUG)) == expected
    assert "secret" not in in_a_line(ValueError(text + DEBUG))
    assert "\n" not in in_a_line(ValueError(text + DEBUG))


def test_a_missing_bucket_is_told_from_a_missing_object() -> None:
    assert is_bucket_missing("NoSuchBucket: The specified bucket does not exist")
    assert is_bucket_missing("ContainerNotFound: The specified container does not exist.")
    assert not is_bucket_missing("NoSuchKey: The specified key does not exist.")
    assert not is_bucket_missing("BlobNotFound: The specified blob does not exist.")
