"""The three ways to confine a worker on this machine.

Decides how each driver starts its zygotes and which attempts get one of their own. `landlock` locks
processes in place; `bwrap` gives them a file system and namespaces of their own as well and serves
kernels with an older Landlock; `none` confines nothing and is used only when asked for by name.
"""

import os
import platform
import secrets
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from swarm_ray.errors import UsageError
from swarm_ray.ports.sandbox import AttemptPolicy, ZygotePolicy
from swarm_ray.sandbox import bundle_image, cgroups, kernel, roots
from swarm_ray.sandbox.confinement import COMPANIONS
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.syscalls import ARCHITECTURES
from swarm_ray.sandbox.zygote_front import ZygoteFront, refuse_processes
from swarm_ray.sandbox.zygote_process import Launch

_BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.py")
_PYTHON_FLAGS = ["-I", "-S"]
_BRANCH_LEAVE = ["mnt", "pid"]  # what a branch must have for itself
_LEAVE = [*_BRANCH_LEAVE, "net", "ipc", "uts"]
_BWRAP_TMP = "/scratch"
_BWRAP_LAST = ["--remount-ro", "/", "--chdir", "/", "--"]
# Not root's number: who is root in a namespace may not map it into a nested one, as branches do.
_BWRAP_USER = "65534"
# Not bwrap's own /dev: it is a memory file system that no limit would hold.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_BWRAP_INSIDE = ["user", "mnt", "pid", "net", "ipc", "uts"]
_BWRAP_FLAGS = [
    *(f"--unshare-{kind}" for kind in ("user", "pid", "net", "ipc", "uts", "cgroup-try")),
    "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "worker",
    "--uid", _BWRAP_USER, "--gid", _BWRAP_USER,
]  # fmt: skip


def _require_linux(driver: str) -> None:
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        raise UsageError(
            "sandbox.platform",
            f"the {driver} sandbox needs Linux on x86-64 or arm64",
            hint="use a Linux host, or ask for the driver `none` and accept no isolation",
        )


def _libraries(bundle: Path, policy: ZygotePolicy) -> list[str]:
    """Return package folders the children see: none while only the standard library is preloaded."""
    try:
        preload = bundle_image.read_linked(os.fspath(bundle)).preload
    except bundle_image.BundleError as error:
        raise UsageError(error.code, str(error), hint="build the bundle again") from error
    if all(name.partition(".")[0] in sys.stdlib_module_names for name in preload):
        return []
    return [os.path.realpath(path) for path in policy.library_paths] or roots.installed_libraries()


def _settings(
    driver: str,
    label: str,
    bundle: Path,
    policy: ZygotePolicy,
    attempt: AttemptPolicy | None,
    tmp_root: str,
) -> Settings:
    libraries = _libraries(bundle, policy)
    attempt = attempt or AttemptPolicy()
    rules = roots.landlock_rules(bundle, libraries, processes=attempt.processes > 0)
    rules += [(os.fspath(path), kernel.READ) for path in attempt.reads]
    return Settings(
        driver=driver,
        label=label,
        bundle=os.fspath(bundle),
        sys_path=[*roots.standard_path(), *libraries],
        libraries=roots.installed_libraries(),
        rules=rules,
        tmp_root=tmp_root,
        scratch="",
        leave=[],
        inside=[],
        confined=True,
        landlock=True,
        processes=attempt.processes,
        program_path=roots.program_path(),
        cgroup_procs="",
        memory_bytes=attempt.memory_bytes or policy.memory_bytes,
        cpu_s=attempt.cpu_s or policy.cpu_s,
        file_size_bytes=policy.file_size_bytes,
        tmp_bytes=policy.tmp_bytes,
        open_files=policy.open_files,
        frame_limit_bytes=policy.frame_limit_bytes,
        cpu=-1 if policy.cpu is None else policy.cpu,
        template=False,
        notes=[],
    )


def _counted(driver: str, processes: int) -> cgroups.PidsGroup | None:
    """Make the group that counts an attempt's processes; None where a user limit does it."""
    if processes == 0 or os.geteuid() != 0:
        return None
    group = cgroups.pids_group(processes + COMPANIONS)
    if group is None:
        raise refuse_processes(driver, "root is exempt from user limits and has no pids cgroup")
    return group


def _own_folder() -> str:
    """Name a folder for temporary files, used where a zygote cannot have a mount of its own."""
    name = f"swarm-ray-{os.getpid()}-{secrets.token_hex(8)}"
    return os.path.join(os.path.realpath(tempfile.gettempdir()), name)


def _python() -> list[str]:
    return [roots.interpreter(), *_PYTHON_FLAGS, _BOOT]


class LandlockDriver:
    """Confines by Landlock, seccomp, limits and, where permitted, namespaces of the zygote.

    Args:
        namespaces: leave the host's namespaces where the machine permits it.
    """

    name = "landlock"
    label = "shared-kernel"

    def __init__(self, *, namespaces: bool = True) -> None:
        self._leave = _LEAVE if namespaces else []

    def start(self, bundle: Path, policy: ZygotePolicy) -> ZygoteFront:
        """Start a zygote; returns before it is ready.

        Raises:
            UsageError: no Linux, Landlock older than ABI 6 or off, or no bundle.
        """
        _require_linux(self.name)
        abi = kernel.landlock_abi()
        if abi < kernel.NEEDED_ABI:
            raise UsageError(
                "sandbox.landlock_abi",
                f"Landlock ABI {abi} cannot keep workers from signalling each other",
                hint="use Linux 6.12 or later with Landlock enabled, or the driver `bwrap`",
            )
        return ZygoteFront(self, bundle.resolve(), policy)

    def alone(self, attempt: AttemptPolicy) -> bool:
        """Processes need a namespace of their own, so that all of them end with the attempt."""
        return attempt.processes > 0

    def branches(self, attempt: AttemptPolicy) -> bool:
        """A branch can do all that a zygote of its own can."""
        return True

    def template(self, bundle: Path, policy: ZygotePolicy) -> Launch:
        """Prepare a template."""
        tmp_root = _own_folder()
        settings = _settings(self.name, self.label, bundle, policy, None, tmp_root)
        return Launch(_python(), settings.changed(leave=self._leave, template=True), tmp_root)

    def launch(self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None) -> Launch:
        """Prepare a zygote process."""
        group = _counted(self.name, attempt.processes if attempt else 0)
        tmp_root = _own_folder()
        settings = _settings(self.name, self.label, bundle, policy, attempt, tmp_root).changed(
            leave=self._leave,
            cgroup_procs=group.procs if group else "",
        )
        return Launch(_python(), settings, tmp_root, group)


class BwrapDriver:
    """Confines by bubblewrap's namespaces and file system, and inside as `landlock` does.

    Args:
        per_attempt: give every attempt its own namespaces; None decides by the kernel's Landlock,
            without which children of one zygote could reach each other.
    """

    name = "bwrap"
    label = "shared-kernel"

    def __init__(self, *, per_attempt: bool | None = None) -> None:
        self._landlock = kernel.landlock_abi() >= kernel.NEEDED_ABI and not per_attempt
        self._per_attempt = not self._landlock

    def start(self, bundle: Path, policy: ZygotePolicy) -> ZygoteFront:
        """Start a zygote; returns before it is ready.

        Raises:
            UsageError: no Linux, no bubblewrap, or no bundle.
        """
        _require_linux(self.name)
        if shutil.which("bwrap") is None:
            raise UsageError(
                "sandbox.bwrap_missing",
                "the program bwrap is not installed",
                hint="install bubblewrap from the distribution's packages",
            )
        return ZygoteFront(self, bundle.resolve(), policy)

    def alone(self, attempt: AttemptPolicy) -> bool:
        """Reads must be mounted and processes counted; both belong to one attempt."""
        return self._per_attempt or attempt.processes > 0 or bool(attempt.reads)

    def branches(self, attempt: AttemptPolicy) -> bool:
        """A branch sees the files of its template: nothing of an item, and programs only where
        Landlock keeps them from those who have not declared processes."""
        return not attempt.reads and (self._landlock or attempt.processes == 0)

    def launch(self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None) -> Launch:
        """Prepare a zygote process within bubblewrap."""
        group = _counted(self.name, attempt.processes if attempt else 0)
        settings = self._settings(bundle, policy, attempt).changed(
            inside=_BWRAP_INSIDE, cgroup_procs=group.procs if group else ""
        )
        reads = [os.fspath(path) for path in attempt.reads] if attempt else []
        argv = _within_bwrap(settings, bundle, reads, programs=settings.processes > 0)
        if group is not None:
            argv += ["--bind", group.procs, group.procs]
        return Launch([*argv, *_BWRAP_LAST, *_python()], settings, group=group)

    def template(self, bundle: Path, policy: ZygotePolicy) -> Launch:
        """Prepare a template within bubblewrap."""
        settings = self._settings(bundle, policy, None).changed(
            inside=_BWRAP_INSIDE, leave=_BRANCH_LEAVE, template=True
        )
        argv = _within_bwrap(settings, bundle, [], programs=self._landlock)
        return Launch([*argv, *_BWRAP_LAST, *_python()], settings)

    def _settings(
        self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None
    ) -> Settings:
        own = f"{_BWRAP_TMP}/own"
        settings = _settings(self.name, self.label, bundle, policy, attempt, own)
        return settings.changed(scratch=_BWRAP_TMP, landlock=self._landlock)


def _within_bwrap(
    settings: Settings, bundle: Path, reads: list[str], *, programs: bool
) -> list[str]:
    """Return the command line of bubblewrap, but for its end."""
    visible = roots.visible_paths(bundle, settings.sys_path, reads, processes=programs)
    argv = [str(shutil.which("bwrap")), *_BWRAP_FLAGS]
    argv += ["--proc", "/proc"]
    for device in _DEVICES:
        argv += ["--dev-bind", device, device]
    argv += ["--size", str(settings.tmp_bytes), "--tmpfs", _BWRAP_TMP]
    for link, target in roots.system_links():
        argv += ["--symlink", target, link]
    for path in visible:
        argv += ["--ro-bind", path, path]
    return argv


class NoneDriver:
    """Confines nothing; for machines that can do no better, and only when asked for by name."""

    name = "none"
    label = "none"

    def start(self, bundle: Path, policy: ZygotePolicy) -> ZygoteFront:
        """Start a zygote; returns before it is ready.

        Raises:
            UsageError: there is no bundle.
        """
        return ZygoteFront(self, bundle.resolve(), policy)

    def alone(self, attempt: AttemptPolicy) -> bool:
        """Nothing is counted and nothing hidden, so one zygote serves all."""
        return False

    def branches(self, attempt: AttemptPolicy) -> bool:
        """The end of a branch is told by its connection, which other systems do not have."""
        return sys.platform == "linux"

    def template(self, bundle: Path, policy: ZygotePolicy) -> Launch:
        """Prepare a template."""
        plain = self.launch(bundle, policy, None)
        return replace(plain, settings=plain.settings.changed(template=True))

    def launch(self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None) -> Launch:
        """Prepare a zygote process."""
        tmp_root = _own_folder()
        settings = _settings(self.name, self.label, bundle, policy, attempt, tmp_root).changed(
            confined=False,
            landlock=False,
            notes=["nothing is confined: a worker can do what its host can"],
        )
        return Launch(_python(), settings, tmp_root)
