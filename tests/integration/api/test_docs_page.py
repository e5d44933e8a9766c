"""The page about the API needs nothing but itself."""

import re
from html.parser import HTMLParser

from tests.support.instance import Instance, refusal

# What makes a browser ask for something, or takes the reader elsewhere.
ASKING = {"script", "link", "img", "iframe", "object", "embed", "audio", "video", "source", "base"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "action"):
                self.links.append(value or "")
            if name == "id":
                self.ids.add(value or "")


def test_the_page_asks_for_nothing_of_another_host(shared: Instance) -> None:
    answer = shared.client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    # Browsers hold the page to this: not even the same host is asked for more.
    policy = answer.headers["content-security-policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    page = Page(answer.text)
    assert not page.tags & ASKING
    assert "style" in page.tags
    assert not re.search(r"url\(|@import|https?://|src=", answer.text)


def test_links_lead_to_what_is_there(shared: Instance) -> None:
    page = Page(shared.client.get("/docs").text)
    elsewhere = {link for link in page.links if not link.startswith("#")}
    assert elsewhere == {"openapi.json"}
    assert {link.removeprefix("#") for link in page.links} - elsewhere <= page.ids


def test_the_page_has_all_of_the_description(shared: Instance) -> None:
    text = shared.client.get("/docs").text
    page = Page(text)
    description = shared.openapi()
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["operationId"] in page.ids
            assert all(f"<code>{entry['name']}</code>" in text for entry in operation["parameters"])
    for name, schema in description["components"]["schemas"].items():
        assert f"schema-{name}" in page.ids
        assert all(f"<code>{member}</code>" in text for member in schema.get("properties", ()))


def test_there_is_no_other_page(shared: Instance) -> None:
    assert refusal(shared.client.get("/redoc"))[0] == "610"
