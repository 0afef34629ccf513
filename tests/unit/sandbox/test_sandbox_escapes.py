"""Hostile workers: each escape fails, and the ordinary thing beside it works."""

import json
import os
import signal
import socket
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_ray.errors import WorkerError


def all_refused(told: dict[str, Any], *but: str) -> bool:
    assert {name: what for name, what in told.items() if name not in but} == {
        name: what for name, what in told.items() if str(what).startswith("refused")
    }
    return True


def refuses_processes(place: Any) -> bool:
    """Without a namespace of its own nothing could end all processes of an attempt."""
    with place.desk(place.policy(processes=4)) as desk:
        exit_ = desk.exit()
    assert exit_.lost
    return "sandbox.processes_unavailable" in exit_.reason


MARK = f"left-{os.getpid()}"  # the name that processes take which a skill leaves to themselves


def left() -> list[int]:
    """Processes with that name that are alive, as the host sees them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it ended while we looked
        if name == MARK and rest.split()[0] != "Z":
            found.append(int(path.parent.name))
    return found


def comes_about(holds: Callable[[], bool], patience_s: float = 20) -> bool:
    until = time.monotonic() + patience_s
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_a_skill_that_raises_fails_its_input_and_nothing_else(place: Any) -> None:
    result = place.result("raises")
    assert (result["class"], result["code"]) == ("input", "skill.raised")
    assert "this file is beyond me" in result["message"]
    assert "skills/hostile.py" in result["detail"]
    assert place.still_serves()


def test_a_hanging_worker_is_killed_and_its_exit_reported(place: Any) -> None:
    with place.desk() as desk:
        desk.run("hangs", {})
        assert desk.hear()["frame"] == "progress"
        desk.child.kill()
        exit_ = desk.exit()
        assert (exit_.signal, exit_.code, exit_.lost) == (signal.SIGKILL, None, False)
        assert desk.hear() == {"frame": "end"}
    assert place.still_serves()


@pytest.mark.thorough
def test_a_spinning_worker_is_ended_by_the_kernel_at_its_processor_limit(place: Any) -> None:
    with place.desk(place.policy(cpu_s=1)) as desk:
        desk.run("spins", {})
        exit_ = desk.exit()
    assert exit_.signal == signal.SIGXCPU
    assert 500_000 < exit_.cpu_us < 3_000_000
    assert place.still_serves()


def test_a_worker_cannot_fork_but_may_use_threads_and_event_loops(place: Any) -> None:
    assert place.output("forks", wanted=100) == {"born": 0, "refused": "PermissionError"}
    assert place.output("threads") == [1, 4, 9]
    assert place.output("event_loop") == "awaited"


@pytest.mark.thorough
def test_a_worker_that_eats_memory_meets_its_limit(place: Any) -> None:
    result = place.result("eats_memory")
    assert (result["class"], result["code"]) == ("input", "worker.out_of_memory")
    small = place.result("eats_memory", place.policy(memory_bytes=128 << 20))
    assert small["code"] == "worker.out_of_memory"
    assert place.still_serves()


def test_an_output_beyond_the_frame_limit_is_refused_in_the_worker(place: Any) -> None:
    result = place.result("floods", size_bytes=2 << 20)
    assert (result["class"], result["code"]) == ("input", "worker.frame_too_large")
    assert len(place.output("floods", size_bytes=1000)) == 1000


@pytest.mark.parametrize(
    ("task", "code"),
    [("floods_raw", "sandbox.frame_too_large"), ("babbles", "sandbox.frame_malformed")],
)
def test_a_worker_that_breaks_the_protocol_is_noticed_by_the_host(
    place: Any, task: str, code: str
) -> None:
    with place.desk() as desk:
        desk.run(task, {})
        with pytest.raises(WorkerError) as caught:
            desk.hear()
    assert caught.value.code == code
    assert place.still_serves()


def test_a_worker_writes_nowhere_but_in_its_own_folder(
    place: Any, secret: Path, hostile: Path
) -> None:
    paths = [
        str(secret), str(secret.parent / "new"), str(hostile / "skills" / "hostile.py"),
        "/etc/passwd", "/tmp/swarm-ray-new", "/usr/new", str(Path("~/.profile").expanduser()),
    ]  # fmt: skip
    told = place.output("writes", paths=paths, victim=str(secret))
    assert all_refused(told, "own")
    assert told["own"] == "succeeded: 1"
    assert secret.read_text() == "for the host alone"
    assert list(secret.parent.iterdir()) == [secret]


def test_a_file_cannot_grow_beyond_its_limit(place: Any) -> None:
    told = place.output("fills_file", chunks=80)
    assert told["refused"] is not None
    assert told["size_bytes"] <= 64 << 20
    assert place.output("fills_file", chunks=2) == {"refused": None, "size_bytes": 2 << 20}


def test_a_worker_reads_its_bundle_and_nothing_of_the_host(
    place: Any, secret: Path, hostile: Path
) -> None:
    (home := Path("~").expanduser()).mkdir(exist_ok=True)
    (home / "token").write_text("x")
    foreign = [
        str(secret), "/etc/passwd", "/etc/shadow", "/etc/hostname", str(home / "token"),
        "/proc/1/cmdline", "/proc/mounts", "/sys/kernel/uevent_seqnum", f"/proc/{os.getpid()}/maps",
    ]  # fmt: skip
    own = str(hostile / "knowledge" / "style.md")
    told = place.output("reads", paths=[*foreign, own])
    if place.name == "bwrap-per-attempt":
        # Without Landlock the namespace's own /proc is visible; it shows nobody but the worker.
        told.pop("/proc/1/cmdline")
        told.pop("/proc/mounts")
    assert told.pop(own) == "succeeded: 9"
    assert all_refused(told)


def test_declared_reads_are_readable_and_their_neighbours_are_not(
    place: Any, tmp_path: Path, secret: Path
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "a.txt").write_text("declared")
    reads = {"repository": str(repository)}
    policy = place.policy(reads=(repository,))
    told = place.output("declared", policy, reads=reads, other=str(secret))
    assert told["listed"] == ["a.txt"]
    assert told["text"] == "declared"
    assert told["write"].startswith("refused")
    assert told["sideways"].startswith("refused")
    undeclared = place.result("declared", reads=reads, other=str(secret))
    assert undeclared["status"] == "failed"


def test_no_socket_leads_out_and_a_pair_within_the_worker_works(place: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with (
        socket.create_server(("127.0.0.1", 0)) as inet,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        named.bind(path)
        named.listen()
        abstract.bind(f"\0swarm-ray-{os.getpid()}")
        abstract.listen()
        with socket.create_connection(inet.getsockname()):
            port = inet.getsockname()[1]
        told = place.output("sockets", port=port, path=path, abstract=f"swarm-ray-{os.getpid()}")
    assert told.pop("stream pair") == "succeeded: hello"
    assert all_refused(told)


def test_ray_is_out_of_reach(place: Any) -> None:
    folder = sysconfig.get_path("purelib")
    assert (Path(folder) / "ray").is_dir()
    told = place.output("imports_ray", library_paths=[folder])
    assert told["refused"] is not None
    assert place.still_serves()


def test_a_worker_has_no_environment_and_no_descriptor_of_the_host(place: Any) -> None:
    told = place.output("environment", host=os.getpid())
    assert told["environ"] == {}
    assert told["host"].startswith("refused")
    assert told["descriptors"] == [0, 1, 2, 3]
    assert told["session"] is True
    if place.name != "bwrap-per-attempt":
        assert told["proc"].startswith("refused")


def test_a_worker_cannot_disturb_a_sibling_the_zygote_or_the_host(place: Any) -> None:
    with place.desk() as sibling:
        sibling.run("introduces", {})
        who = json.loads(sibling.hear()["text"])
        asked = sibling.hear()
        pids = {"sibling": who["pid"], "zygote": 1, "host": os.getpid()}
        if place.name == "landlock-without-namespaces":
            pids["zygote"] = place.zygote.pid or 0
        if place.apart:
            del pids["sibling"]  # its number is the worker's own in a namespace of its own
        told = place.output("signals", pids=pids)
        assert told.pop("own") == ["own signal"]
        told = {name: what for name, what in told.items() if not name.startswith("zygote by")}
        assert all_refused(told)
        if "sibling" in pids:
            meddling = place.output("meddles", pid=who["pid"])
            assert meddling.pop("own limit").startswith("succeeded")
            assert all_refused(meddling)
        snooping = place.output("snoops", tmp=who["tmp"])
        assert snooping.pop("own") == "succeeded: 1"
        if place.name == "bwrap-per-attempt":
            # It has a file system of its own there, in which the sibling's folder does not exist.
            assert "mine" not in snooping["list all"]
            assert who["tmp"].rpartition("/")[2] not in snooping.pop("list all")
        assert all_refused(snooping)
        sibling.send({"frame": "reply", "id": asked["id"], "ok": True, "value": "go on"})
        output = sibling.result()["output"]
    assert output == {"said": "go on", "mine": "untouched", "listed": ["mine"]}
    assert place.still_serves()


def test_metadata_of_other_files_stays_as_it_is(place: Any, secret: Path) -> None:
    before = secret.stat()
    assert all_refused(place.output("metadata", path=str(secret)))
    after = secret.stat()
    assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (
        after.st_mode, after.st_uid, after.st_mtime_ns,
    )  # fmt: skip


def test_no_memory_or_queue_is_shared_with_anybody(place: Any) -> None:
    assert all_refused(place.output("memory_segments"))
    assert not Path("/dev/shm/swarm-ray-test").exists()


def test_no_new_namespace_mount_or_wide_kernel_interface(place: Any) -> None:
    assert all_refused(place.output("namespaces"))


def test_a_program_runs_only_where_processes_are_declared(place: Any, secret: Path) -> None:
    assert place.output("executes")["run"] == "refused: PermissionError"
    if place.name == "landlock-without-namespaces":
        assert refuses_processes(place)
        return
    told = place.output(
        "programs",
        place.policy(processes=4),
        secret=str(secret),
        outside=str(secret.parent / "new"),
    )
    assert told["echo"] == [0, "hello"]
    assert told["pipe"] == [0, "a"]
    assert told["inside"] == [0, "x"]
    assert told["secret"] != 0
    assert told["outside"] != 0
    assert list(secret.parent.iterdir()) == [secret]


def test_declared_processes_are_counted_and_end_with_the_attempt(place: Any) -> None:
    if place.name == "landlock-without-namespaces":
        assert refuses_processes(place)
        return
    with place.desk(place.policy(processes=3)) as desk:
        desk.run("forks", {"wanted": 20})
        told = desk.result()["output"]
        began = time.monotonic()
        exit_ = desk.exit()
    assert told["born"] == 3
    assert told["refused"] == "BlockingIOError"
    assert exit_.code == 0
    assert time.monotonic() - began < 15  # the forked ones would have slept for 30 s


def test_a_fork_bomb_stays_within_its_count_and_ends_with_the_attempt(place: Any) -> None:
    if place.name == "landlock-without-namespaces":
        assert refuses_processes(place)
        return
    with place.desk(place.policy(processes=5)) as desk:
        desk.run("bombs", {"name": MARK})
        assert desk.hear()["frame"] == "progress"
        assert comes_about(lambda: len(left()) == 6)  # the worker and its five
        assert place.still_serves()
        assert len(left()) == 6
        desk.child.kill()
        assert desk.exit().signal == signal.SIGKILL
    assert comes_about(lambda: not left())


def test_a_daemon_does_not_outlive_its_attempt(place: Any) -> None:
    if place.name == "landlock-without-namespaces":
        assert refuses_processes(place)
        return
    with place.desk(place.policy(processes=3)) as desk:
        desk.run("daemonises", {"name": MARK})
        asked = desk.hear()
        assert comes_about(lambda: len(left()) == 1)
        desk.send({"frame": "reply", "id": asked["id"], "ok": True, "value": "go on"})
        assert desk.result()["output"] == "left alone"
        assert desk.exit().code == 0
    assert comes_about(lambda: not left())


def test_with_processes_a_worker_still_reaches_nobody_outside(place: Any) -> None:
    if place.name == "landlock-without-namespaces":
        assert refuses_processes(place)
        return
    with place.desk(place.policy(processes=2)) as sibling, place.desk() as ordinary:
        told = []
        for each in (sibling, ordinary):
            each.run("introduces", {})
            told.append(json.loads(each.hear()["text"]))
        asked = [each.hear()["id"] for each in (sibling, ordinary)]
        numbers = {"host": os.getpid(), "zygote": 1}
        if place.name == "bwrap-per-attempt":
            del numbers["zygote"]  # the kernel itself keeps process 1 from signals from within
        attacks = place.output("strikes", place.policy(processes=2), pids=numbers)
        assert attacks.pop("own child").startswith("succeeded")
        assert all_refused(attacks)
        for each, number in zip((sibling, ordinary), asked, strict=True):
            each.send({"frame": "reply", "id": number, "ok": True, "value": "go on"})
            assert each.result()["output"]["mine"] == "untouched"


def test_a_worker_that_goes_on_after_its_result_is_killed(place: Any) -> None:
    with place.desk() as desk:
        desk.run("lingers", {})
        assert desk.result()["output"] == "early"
        desk.child.kill()
        assert desk.exit().signal == signal.SIGKILL


@pytest.mark.parametrize("task", ["not_json", "not_a_number", "circular"])
def test_what_is_not_json_is_an_input_failure(place: Any, task: str) -> None:
    result = place.result(task)
    assert (result["class"], result["code"]) == ("input", "skill.result_not_json")


def test_leaving_is_a_failure_and_a_crash_is_an_exit(place: Any) -> None:
    assert place.result("quits")["code"] == "skill.exited"
    with place.desk() as desk:
        desk.run("crashes", {})
        assert desk.result() == {"frame": "end"}
        assert desk.exit().signal == signal.SIGSEGV
    assert place.still_serves()


def test_an_error_without_text_still_has_a_name(place: Any) -> None:
    assert "Sly" in place.result("unreadable_error")["message"]


def test_nothing_a_worker_leaves_behind_is_seen_by_the_next(place: Any) -> None:
    for _ in range(4):
        assert place.output("litters")["listed"] == ["a", "link"]
        assert place.output("looks_around") == []


def test_children_of_one_zygote_draw_different_random_numbers(place: Any) -> None:
    drawn = [place.output("numbers") for _ in range(3)]
    assert len({each["random"] for each in drawn}) == 3
    assert len({each["urandom"] for each in drawn}) == 3


def test_the_isolation_report_says_what_holds(place: Any) -> None:
    assert place.still_serves()
    until = time.monotonic() + 10
    while not place.zygote.ready and time.monotonic() < until:
        place.zygote.exits()
        time.sleep(0.01)
    isolation = place.zygote.isolation
    assert isolation is not None
    assert isolation.label == "shared-kernel"
    assert isolation.seccomp
    assert (isolation.landlock_abi >= 6) is (place.name != "bwrap-per-attempt")
    assert ("pid" in isolation.namespaces) is (place.name != "landlock-without-namespaces")
