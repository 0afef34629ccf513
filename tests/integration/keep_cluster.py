"""Keeps a cluster of one head and further nodes; obeys one JSON command per line on stdin.

Ends with its stdin, and ends only the processes that it started.
"""

import json
import os
import signal
import sys
from typing import Any

from ray.cluster_utils import Cluster

from swarm_ray.runtime.cluster import FAILURE_DETECTION

MEMORY_BYTES = 80 * 2**20


def pids(node: Any) -> dict[str, list[int]]:
    return {
        kind: [info.process.pid for info in infos] for kind, infos in node.all_processes.items()
    }


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    os.environ.update(FAILURE_DETECTION)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": True,
            "dashboard_port": 0,
            "dashboard_agent_listen_port": 0,
            "object_store_memory": MEMORY_BYTES,
            "temp_dir": sys.argv[1],
        },
    )
    nodes = {"head": cluster.head_node}
    say({"address": cluster.address, "pids": pids(cluster.head_node)})
    try:
        for line in sys.stdin:
            command = json.loads(line)
            name = command["node"]
            if command["do"] == "add":
                nodes[name] = cluster.add_node(
                    num_cpus=1,
                    labels=command["labels"],
                    object_store_memory=MEMORY_BYTES,
                    dashboard_agent_listen_port=0,
                )
                say({"pids": pids(nodes[name]), "id": nodes[name].node_id})
            else:
                for pid in pids(nodes[name])["raylet"]:
                    os.kill(pid, signal.SIGKILL)
                cluster.remove_node(nodes.pop(name), allow_graceful=False)
                say({})
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
