"""The tools of the benchmarks: they find what a process used, and leave nothing behind."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from benchmarks import accounting, children
from benchmarks.figures import Figure
from benchmarks.probes.endpoint import Endpoint


def test_reaped_children_count_and_the_living_are_found() -> None:
    before_ms = accounting.with_reaped_ms(os.getpid()) - accounting.own_ms(os.getpid())
    work = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    after_ms = accounting.with_reaped_ms(os.getpid()) - accounting.own_ms(os.getpid())
    assert after_ms - before_ms >= 250
    waiting = [sys.executable, "-c", "print('up', flush=True); input()"]
    child = subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"up\n"
        assert child.pid in accounting.descendants(os.getpid())
        assert accounting.rss_bytes(child.pid) > 1_000_000
    finally:
        child.communicate(b"\n")
    assert accounting.rss_bytes(child.pid) == 0


def test_growth_of_memory_is_seen_while_it_lasts() -> None:
    watch = accounting.PeakMemory(os.getpid())
    ballast = bytearray(40 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    time.sleep(4 * accounting.RSS_PERIOD_S)
    del ballast
    assert watch.growth_bytes() > 30 << 20


def test_a_probe_answers_and_a_broken_one_says_why() -> None:
    found = children.measure("benchmarks.peers.pools", what="threads", count=8, sleep_ms=1, width=4)
    assert found["count"] == 8
    assert found["seconds"] > 0
    with pytest.raises(children.ProbeFailed, match="unexpected keyword"):
        children.measure("benchmarks.peers.pools", nonsense=1)


def test_a_probe_that_takes_too_long_is_ended() -> None:
    with pytest.raises(children.ProbeFailed, match="took more than"):
        children.measure(
            "benchmarks.peers.pools", timeout_s=1, what="threads", count=1, sleep_ms=60_000
        )
    assert not [
        pid
        for pid in accounting.descendants(os.getpid())
        if "benchmarks.children" in accounting.command_of(pid)
    ]


def test_no_group_is_left_behind() -> None:
    with accounting.group("test") as path:
        assert path is None or path.exists()
    assert path is None or not path.exists()


def test_the_endpoint_counts_what_a_lost_answer_has_cost() -> None:
    endpoint = Endpoint(lost_per_mille=1_000)
    try:
        body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "12345"}]}
        request = urllib.request.Request(
            f"{endpoint.url}/chat/completions", json.dumps(body).encode()
        )
        with pytest.raises(OSError, match=r"closed|reset"):
            urllib.request.urlopen(request, timeout=10)
        assert (endpoint.calls, endpoint.spent) == (1, 6)
    finally:
        endpoint.close()


def test_a_figure_knows_whether_it_is_reached() -> None:
    assert Figure("a", 1.0, "s", 1.0).met is True
    assert Figure("a", 1.1, "s", 1.0).met is False
    assert Figure("a", 1.1, "s", 1.0, "least").met is True
    assert Figure("a", 1.1, "s").met is None


def test_nothing_here_is_imported_by_the_product() -> None:
    package = Path(children.ROOT) / "swarm_ray"
    assert not [file for file in package.rglob("*.py") if "import benchmarks" in file.read_text()]
