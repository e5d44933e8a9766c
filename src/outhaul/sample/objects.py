"""Program members and custom objects of the sample subscription, as in `outhaul.sample.records`."""

# ruff: noqa: S311 -- these records must be repeatable, and protect no secret

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil
from random import Random

from outhaul.sample.records import FIRST_LEAD_ID, LEAD_SPAN, SEED, Record, catalog

BOATS = "boat_c"
"""The API name of the sample's custom object type: boats, which belong to leads."""

_NAMES = ("Aurora", 'The "Gull"', "Möwe", "かもめ", "Sea, Sand & Sun", "null", "Petrel")
_RIGS = ("sloop", "cutter", "ketch", "yawl", None)


def program_members(
    lead_count: int = 5_000, *, until: datetime, seed: int = SEED
) -> Iterator[Record]:
    """Yield members of the programs, by `programId` and `leadId`: a sixth of the leads in each.

    Raises `ValueError` if `until` has no time zone.
    """
    end = _seconds(until)
    rng = Random(seed)
    for program in catalog()["programs"]:
        statuses = program["statuses"]
        nurtures = program["channel"] == "Nurture"
        for index in sorted(rng.sample(range(lead_count), ceil(lead_count / 6))):
            joined = end - rng.randrange(1, LEAD_SPAN // 3)
            changed = rng.randrange(joined, end)
            reached = rng.randrange(len(statuses))
            success = reached == len(statuses) - 1
            yield {
                "programId": program["id"],
                "leadId": FIRST_LEAD_ID + index,
                "program": program["name"],
                "statusName": statuses[reached],
                "statusReason": rng.choice(("Filled out form", "Imported, by hand", None)),
                "membershipDate": _text(joined),
                "reachedSuccess": success,
                "reachedSuccessDate": _text(changed) if success else None,
                "acquiredBy": rng.random() < 0.1,  # noqa: PLR2004 - one in ten
                "isExhausted": nurtures and rng.random() < 0.2,  # noqa: PLR2004 - one in five
                "nurtureCadence": rng.choice(("norm", "pause")) if nurtures else None,
                "trackName": rng.choice(("Beginners", "Old hands")) if nurtures else None,
                "createdAt": _text(joined),
                "updatedAt": _text(changed),
            }


def boats(lead_count: int = 5_000, *, until: datetime, seed: int = SEED) -> Iterator[Record]:
    """Yield boats of a tenth of the leads, and some without a lead, in no order.

    Raises `ValueError` if `until` has no time zone.
    """
    end = _seconds(until)
    rng = Random(seed)
    owners: list[int | None] = [
        FIRST_LEAD_ID + index for index in rng.sample(range(lead_count), ceil(lead_count / 10))
    ]
    for number, owner in enumerate([*owners, *[None] * 3], 1):
        built = end - rng.randrange(1, LEAD_SPAN // 3)
        yield {
            "marketoGUID": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "leadId": owner,
            "hullNumber": f"OH-{number:05}",
            "boatName": rng.choice(_NAMES),
            "rig": rng.choice(_RIGS),
            "lengthInFeet": rng.randrange(140, 600) / 10,
            "berths": rng.randrange(1, 9),
            "isForSale": rng.random() < 0.2,  # noqa: PLR2004 - one in five
            "createdAt": _text(built),
            "updatedAt": _text(rng.randrange(built, end)),
        }


def _seconds(until: datetime) -> int:
    if until.tzinfo is None:
        raise ValueError("until must have a time zone")
    return int(until.timestamp())


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
