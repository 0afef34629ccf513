"""A session whose coordinator runs in this process and whose workers follow a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.testing.service import Call, Did, Fault, scripted_service


def script(call: Call) -> object:
    """Answers by the item's word: `flaky` works at the second attempt, `bad` never does."""
    if call.task.startswith("converge:"):
        return {"merged": [one["output"]["word"] for one in call.inputs["results"]]}
    word = call.inputs["item"]
    if word == "flaky" and call.attempt == 1:
        raise Fault("transient", "worker.crashed", "the worker crashed\nwith a trace")
    if word == "bad":
        raise Fault("input", "skill.raised", "ValueError: <b>bad</b> & worse\n  line 1")
    if word == "hopeless":
        raise Fault("structural", "worker.wrong_bundle", "nothing can be done")
    pause_s = 5.0 if word == "slow" else 0.0
    return Did({"word": word, "label": word[0]}, tokens=10, microusd=1_500, seconds=pause_s)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    settings = Settings(home=tmp_path / "home")
    service = scripted_service(settings, script)
    with using(Session(settings, service)) as found:
        yield found
    service.shut_down()
