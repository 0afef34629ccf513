"""What a zygote is told at its start.

Decides the fields of the CONFIG message. Shared by the host, which fills them, and the zygote, which
obeys; it holds no item and nothing of an attempt. A plain class: the dataclasses module would cost
every child over a megabyte of page tables.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any


class Settings:
    """Start-up orders of one zygote; never changed once made.

    Attributes:
        driver: name of the driver, for the report.
        label: isolation class, for the report.
        bundle: folder of the unpacked bundle.
        sys_path: import path of the children.
        libraries: folders with installed packages, for libraries of our own in the zygote.
        rules: paths with the Landlock rights below them.
        tmp_root: folder to make for temporary files where the zygote has no mount of its own.
        scratch: folder to mount the memory file system for temporary files over; empty for any.
        leave: namespaces to leave by itself; empty when the driver has done so, or cannot. A
            template leaves mounts and processes to its branches.
        inside: namespaces the driver has already left.
        confined: apply seccomp and give up privileges; only the `none` driver says no.
        landlock: give each child a Landlock domain.
        processes: processes one child may have; above 0 the zygote serves a single attempt.
        program_path: where a child with processes looks for programs.
        cgroup_procs: file to write the zygote into before it locks itself; empty for none.
        cpu: processor to stay on; -1 for any.
        template: load the bundle and branch into sandboxes of one attempt, instead of serving.
        notes: what the host already knows to be weaker than it could be.
    """

    driver: str
    label: str
    bundle: str
    sys_path: list[str]
    libraries: list[str]
    rules: list[tuple[str, int]]
    tmp_root: str
    scratch: str
    leave: list[str]
    inside: list[str]
    confined: bool
    landlock: bool
    processes: int
    program_path: str
    cgroup_procs: str
    memory_bytes: int
    cpu_s: int
    file_size_bytes: int
    tmp_bytes: int
    open_files: int
    frame_limit_bytes: int
    cpu: int
    template: bool
    notes: list[str]

    def __init__(self, **fields: Any) -> None:
        """Set every field.

        Raises:
            TypeError: one is missing or unknown.
        """
        wanted = set(type(self).__annotations__)
        if set(fields) != wanted:
            raise TypeError(f"settings differ in {sorted(wanted ^ set(fields))}")
        self.__dict__.update(fields)

    def changed(self, **fields: Any) -> Settings:
        """Return a copy with some fields replaced."""
        return Settings(**{**self.__dict__, **fields})

    def to_dict(self) -> dict[str, Any]:
        """Return the orders as plain data for the CONFIG message."""
        return dict(self.__dict__)
