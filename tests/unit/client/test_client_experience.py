"""What the archive of past runs tells about the next one."""

import swarm_ray as swarm
from swarm_ray.client.archive import Archive
from swarm_ray.client.experience import experience
from swarm_ray.client.following import Follower
from swarm_ray.client.session import Session


def shout(item):
    return item.upper()


def archive_of(session: Session) -> Archive:
    archive = Archive.of(session.settings)
    assert archive is not None
    return archive


def test_the_newest_run_tells_the_items_and_all_runs_tell_the_durations(session: Session):
    swarm.map(shout, ["fig", "quince", "flaky"]).result(20)
    newest = swarm.map(shout, ["pear", "watermelon"])
    newest.result(20)
    archive = archive_of(session)
    seen = Follower(archive, newest.id).catch_up()
    found = experience(archive, seen.process, seen.steps[0].name)
    assert found is not None
    assert found.run == newest.id
    assert found.item_bytes == (len(b'"pear"'), len(b'"watermelon"'))
    sizes = [one.item_bytes for one in found.attempts]
    assert sorted(sizes[:2]) == [6, 12]
    assert sorted(sizes[2:]) == [5, 7, 8]
    assert all(one.duration_s >= 0 and one.tokens == 10 for one in found.attempts)


def test_a_process_that_never_ran_tells_nothing(session: Session):
    swarm.map(shout, ["fig"]).result(20)
    assert experience(archive_of(session), "another_process", "each") is None
