"""The ids of leads that lost in a merge, as the attributes of an activity have them.

Live instances write `{"Merge Ids": "[1291421]"}`, and describe the attribute as "Merge IDs". Others
write a list of numbers or of texts, a text with commas, or one number.
"""

import re

import msgspec

_NAME = "mergeids"
_APART = re.compile(r"[\s,;|\[\]()\"']+")
_ID = re.compile(r"0*([1-9][0-9]{0,18})(\.0+)?", re.ASCII)
_LARGEST = 2**63 - 1

# Values stay raw, because the text of a list of ids is read like a text that has the ids.
_ATTRIBUTES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def losers_of(attributes: str | None) -> list[int]:
    """Return the ids in the attributes of an activity that merges leads, each once.

    Raises `ValueError` if there are none, or if the value has anything else.
    """
    found = [id_ for value in _values(attributes or "{}") for id_ in _ids(value)]
    if not found:
        raise ValueError("the attributes have no ids of merged leads")
    return list(dict.fromkeys(found))


def _values(attributes: str) -> list[str]:
    """Return the texts of the attribute, whose name is written in several ways."""
    try:
        given = _ATTRIBUTES.decode(attributes)
        raw = [bytes(value).decode() for name, value in given.items() if _plain(name) == _NAME]
        return [_TEXT.decode(text) if text.startswith('"') else text for text in raw]
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("the attributes are not a JSON object") from error


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _ids(value: str) -> list[int]:
    # The quotes of texts in a list that is itself in a text may be escaped.
    return [_id(text) for text in _APART.split(value.replace('\\"', '"')) if text]


def _id(text: str) -> int:
    written = _ID.fullmatch(text)
    if written is None or int(written[1]) > _LARGEST:
        raise ValueError("the attributes have something else than ids of merged leads")
    return int(written[1])
