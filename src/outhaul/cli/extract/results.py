"""What an extraction says at its end."""

from outhaul.cli.console import print_json, print_message
from outhaul.client import Checked, Job, is_standard_output

_SHA256 = "sha256:"


def show_result(job: Job, checked: Checked, output: str, *, as_json: bool) -> None:
    """Print what was written, and what it was held against: as JSON, or for people."""
    if as_json:
        print_json(
            {
                "exportId": job.export_id,
                "records": checked.records,
                "bytes": checked.size,
                "checksum": _SHA256 + checked.sha256 if checked.by_checksum else job.checksum,
                "checked": checked.by_checksum,
                "output": output,
            }
        )
        return
    records = "records" if checked.records is None else f"{checked.records:,} records"
    target = "standard output" if is_standard_output(output) else output
    found = f"{records} ({checked.size:,} bytes, {_verdict(job, checked)})"
    print_message(f"{found} of job {job.export_id} written to {target}")


def _verdict(job: Job, checked: Checked) -> str:
    if checked.by_checksum:
        return f"checked: {_SHA256}{checked.sha256} matches"
    why = (
        "the endpoint gave no checksum"
        if job.checksum is None
        else f"the endpoint's checksum {job.checksum!r} is no SHA-256"
    )
    match checked.by_size, checked.by_records:
        case True, True:
            others = "size and number of records match"
        case True, False:
            others = "the size matches"
        case False, True:
            others = "the number of records matches"
        case _:
            others = "nothing else could be compared"
    return f"not checked: {why}; {others}"
