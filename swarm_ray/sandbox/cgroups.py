"""A process-count limit by cgroup, for a host that runs as root.

Decides where the group is made (v1 `pids` hierarchy or v2) and with which limit. Root is exempt from
the kernel's per-user process limit, so without a group declared processes are refused.
"""

import os
import secrets
from dataclasses import dataclass

_V1 = "/sys/fs/cgroup/pids"
_V2 = "/sys/fs/cgroup"
_PREFIX = "swarm-ray-"


def _own_groups() -> dict[str, str]:
    """Return this process's group by controller; the v2 one under the empty name."""
    groups = {}
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(","):
                groups[name] = path
    return groups


def _parents() -> list[str]:
    groups = _own_groups()
    found = []
    if "pids" in groups:
        found += [_V1 + groups["pids"], _V1]
    if "" in groups:
        found.append(_V2 + groups[""])
    return found


@dataclass(frozen=True, slots=True)
class PidsGroup:
    """A cgroup that counts processes.

    Args:
        path: its folder.
    """

    path: str

    @property
    def procs(self) -> str:
        """The file a process writes itself into."""
        return os.path.join(self.path, "cgroup.procs")

    def remove(self) -> bool:
        """Remove the group; False while processes are still in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def _sweep(parent: str) -> None:
    """Remove the groups of hosts that were killed before they could."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        owner = name.removeprefix(_PREFIX).partition("-")[0]
        gone = owner.isdecimal() and not os.path.exists(f"/proc/{owner}")
        if name.startswith(_PREFIX) and gone:
            PidsGroup(os.path.join(parent, name)).remove()


def pids_group(most: int) -> PidsGroup | None:
    """Make a group of at most `most` processes; None where this machine does not let us."""
    for parent in _parents():
        _sweep(parent)
        path = os.path.join(parent, f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}")
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            with open(os.path.join(path, "pids.max"), "r+", encoding="ascii") as file:
                file.write(str(most))
        except OSError:
            os.rmdir(path)
            continue
        return PidsGroup(path)
    return None
