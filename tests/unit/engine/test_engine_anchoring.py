"""Anchoring beside the loop: what is behind gets there, and an outage delays nothing."""

import asyncio
import threading
import time
from collections.abc import Callable

from swarm_ray.engine.anchoring import AnchorFailed, Anchoring
from swarm_ray.errors import StorageError
from swarm_ray.ports.anchors import Anchored, Prove


class Place:
    """An anchor in memory; out of reach, or slow, on demand."""

    def __init__(self, name: str = "place") -> None:
        self.name = name
        self.reachable = True
        self.open = threading.Event()
        self.open.set()
        self.kept: list[int] = []

    def keep(self, note: bytes, prove: Prove) -> Anchored:
        self.open.wait(10)
        if not self.reachable:
            raise StorageError("anchor.out_of_reach", "the place is out of reach")
        size = int(note)
        assert prove(self.kept[-1] if self.kept else 0) == [b"%d" % size]
        self.kept.append(size)
        return Anchored(self.name, size, "", "here", 0)


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)


def story(places: list[Place], play, **limits) -> list[Anchored | AnchorFailed]:
    """Play a scene with anchoring at work; return what was recorded."""
    told: list[Anchored | AnchorFailed] = []

    async def whole() -> None:
        anchoring = Anchoring(places, lambda _, size: [b"%d" % size], told.append, **limits)
        watching = asyncio.create_task(anchoring.watch())
        await play(anchoring, told)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(whole())
    return told


def test_what_is_offered_is_kept_and_recorded():
    place = Place()

    async def play(anchoring, told):
        anchoring.offer(b"3", 3)
        await until(lambda: place.kept == [3])
        anchoring.offer(b"5", 5)
        anchoring.offer(b"8", 8)
        await until(lambda: place.kept == [3, 8])

    told = story([place], play, every_s=0.0)
    assert [one.size for one in told] == [3, 8]


def test_little_growth_waits_and_much_does_not():
    place = Place()

    async def play(anchoring, told):
        anchoring.offer(b"1", 1)
        await until(lambda: place.kept == [1])
        anchoring.offer(b"10", 10)
        await asyncio.sleep(0.6)
        assert place.kept == [1]
        anchoring.offer(b"11", 11)
        await until(lambda: place.kept == [1, 11])

    story([place], play, every_s=60.0, every_entries=10)


def test_an_outage_is_said_once_until_it_ends_and_holds_up_no_other_anchor():
    out, well = Place("out"), Place("well")
    out.reachable = False

    async def play(anchoring, told):
        for size in range(1, 4):
            anchoring.offer(b"%d" % size, size)
            await until(lambda size=size: well.kept[-1:] == [size])
        await asyncio.sleep(0.6)
        out.reachable = True
        await until(lambda: out.kept == [3])

    told = story([out, well], play, every_s=0.0)
    assert [one for one in told if isinstance(one, AnchorFailed)] == [
        AnchorFailed("out", 1, "anchor.out_of_reach")
    ]


def test_an_anchor_that_does_not_answer_holds_up_neither_loop_nor_leaving():
    slow = Place()
    slow.open.clear()

    async def play(anchoring, told):
        anchoring.offer(b"1", 1)
        await asyncio.sleep(0.1)
        slow.open.set()
        await anchoring.finish()
        await until(lambda: 1 in slow.kept)

    story([slow], play, every_s=0.0)


def test_a_checkpoint_that_is_under_way_arrives_before_the_last_one():
    place = Place()

    async def play(anchoring, told):
        place.open.clear()
        anchoring.offer(b"3", 3)
        await asyncio.sleep(0.3)  # under way by now
        anchoring.offer(b"5", 5)
        last = asyncio.create_task(anchoring.finish())
        await asyncio.sleep(0.1)
        place.open.set()
        await last

    told = story([place], play, every_s=0.0)
    assert place.kept == [3, 5]
    assert [one.size for one in told] == [3, 5]
