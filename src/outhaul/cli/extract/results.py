"""What an extraction says at its end."""

from collections.abc import Sequence

from outhaul.cli.console import print_json, print_message
from outhaul.client import Checked, Extracted, ExtractedFile, Job, is_standard_output
from outhaul.protocol.instants import render_instant

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


def show_joined(extracted: Extracted, output: str, *, as_json: bool) -> None:
    """Print what was written of several windows into one output: as JSON, or for people."""
    files, checksum = extracted.files, _SHA256 + extracted.sha256
    if as_json:
        print_json(
            {
                "records": extracted.records,
                "bytes": extracted.size,
                "checksum": checksum,
                "checked": all(file.checked.by_checksum for file in files),
                "repeated": extracted.repeated,
                "output": output,
                "windows": [_window(file) for file in files],
            }
        )
        return
    records = "records" if extracted.records is None else f"{extracted.records:,} records"
    target = "standard output" if is_standard_output(output) else output
    print_message(
        f"{records} ({extracted.size:,} bytes, {checksum}) of {_jobs(files)} written to {target}; "
        f"{_checks(files)}"
    )
    if extracted.repeated:
        print_message(
            f"{extracted.repeated:,} of them were in two windows, because they changed in between"
        )


def show_files(files: Sequence[ExtractedFile], output: str, *, as_json: bool) -> None:
    """Print what was written of several windows, a file each: as JSON, or for people."""
    counts = [file.checked.records for file in files]
    records = None if None in counts else sum(count or 0 for count in counts)
    size = sum(file.checked.size for file in files)
    if as_json:
        print_json(
            {
                "records": records,
                "bytes": size,
                "checked": all(file.checked.by_checksum for file in files),
                "output": output,
                "windows": [{**_window(file), "output": str(file.path)} for file in files],
            }
        )
        return
    found = "records" if records is None else f"{records:,} records"
    print_message(
        f"{found} ({size:,} bytes) of {_jobs(files)} written to {len(files)} files, {output}; "
        f"{_checks(files)}"
    )


def _window(file: ExtractedFile) -> dict[str, object]:
    checked, window = file.checked, file.window
    return {
        "startAt": None if window is None else render_instant(window.start),
        "endAt": None if window is None else render_instant(window.end),
        "exportId": file.job.export_id,
        "records": checked.records,
        "bytes": checked.size,
        "checksum": _SHA256 + checked.sha256 if checked.by_checksum else file.job.checksum,
        "checked": checked.by_checksum,
    }


def _jobs(files: Sequence[ExtractedFile]) -> str:
    old = sum(not file.is_new for file in files)
    earlier = f" ({old} of an earlier run)" if old else ""
    return f"{len(files)} job{'' if len(files) == 1 else 's'}{earlier}"


def _checks(files: Sequence[ExtractedFile]) -> str:
    checked = sum(file.checked.by_checksum for file in files)
    if checked == len(files):
        return "all checksums match"
    return f"{checked} of {len(files)} checksums match, the others could not be compared"


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
