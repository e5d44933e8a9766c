"""A Ray cluster on loopback, for as long as standard input is open.

Prints a line of JSON for the head, and one for each node that a line of input adds. Ray's own
command would have a cluster of several nodes listen on all addresses.
"""

import json
import sys
from typing import Any

from ray.cluster_utils import Cluster

ONE_PROCESSOR: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 80_000_000,
    "include_dashboard": False,
    "include_log_monitor": False,
}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args=ONE_PROCESSOR)
    say(address=cluster.address)
    for _ in sys.stdin:
        node = cluster.add_node(**ONE_PROCESSOR)
        (raylet,) = node.all_processes["raylet"]
        say(raylet=raylet.process.pid)
    cluster.shutdown()  # type: ignore[no-untyped-call]


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
