from itertools import chain

import pytest
from tests.support.paths import ROOT
from tests.support.scheduling import APART, LONGEST, TOGETHER, group

MODULE = "tests/integration/jobs/test_states.py"


def test_a_module_stays_together() -> None:
    assert group(f"{MODULE}::test_a[x::y]") == group(f"{MODULE}::TestB::test_c") == MODULE


def test_what_shares_a_cluster_stays_together() -> None:
    conformance = "tests/integration/export/test_executors.py::test_a[ray]"
    assert group(conformance) == group("tests/integration/export/ray/test_ray.py::test_b") == "ray"


def test_long_tests_that_share_nothing_run_apart() -> None:
    kills = "tests/integration/test_kills.py"
    assert len({group(f"{kills}::test_{n}") for n in range(2)}) == 2


@pytest.mark.parametrize("name", [*chain(*TOGETHER.values()), *APART, *LONGEST])
def test_what_the_tables_name_is_there(name: str) -> None:
    assert list((ROOT / "tests").glob(f"{name}*")), name
