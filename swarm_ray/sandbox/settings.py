"""What a zygote is told at its start.

Decides the fields of the CONFIG message. Shared by the host, which fills them, and the zygote, which
obeys; it holds no item and nothing of an attempt.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Start-up orders of one zygote.

    Args:
        driver: name of the driver, for the report.
        label: isolation class, for the report.
        bundle: folder of the unpacked bundle.
        sys_path: import path of the children.
        libraries: folders with installed packages, for libraries of our own in the zygote.
        rules: paths with the Landlock rights below them.
        tmp_root: folder below which each child gets its own.
        leave: namespaces to leave by itself; empty when the driver has done so, or cannot.
        inside: namespaces the driver has already left.
        confined: apply Landlock and seccomp; only the `none` driver says no.
        processes: processes one child may have; above 0 the zygote serves a single attempt.
        cgroup_procs: file to write this process into before anything else; empty for none.
        notes: what the host already knows to be weaker than it could be.
    """

    driver: str
    label: str
    bundle: str
    sys_path: list[str]
    libraries: list[str]
    rules: list[tuple[str, int]]
    tmp_root: str
    leave: list[str]
    inside: list[str]
    confined: bool
    reserve: int
    processes: int
    cgroup_procs: str
    memory_bytes: int
    cpu_s: int
    file_size_bytes: int
    tmp_bytes: int
    open_files: int
    frame_limit_bytes: int
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the orders as plain data for the CONFIG message."""
        return asdict(self)

    @staticmethod
    def from_dict(value: dict[str, Any]) -> "Settings":
        """Read the orders back; unknown or missing fields raise TypeError."""
        rules = [(str(path), int(rights)) for path, rights in value.pop("rules")]
        return Settings(**value, rules=rules)
