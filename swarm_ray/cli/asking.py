"""Following a run past its questions: asked at the terminal when somebody sits there.

Decides who is asked. At a terminal a question is put there and then; elsewhere a run on a private
cluster stops at it, since no second program could answer, and one on a shared cluster goes on
being followed while the question can expire.
"""

import select
import sys

from swarm_ray.cli.finding import person
from swarm_ray.cli.output import Output
from swarm_ray.cli.progress import PULL_S, watch
from swarm_ray.client.following import Follower
from swarm_ray.client.headline import question_lines
from swarm_ray.engine.views import QuestionView
from swarm_ray.ports.service import Service


def follow(service: Service, follower: Follower, output: Output) -> None:
    """Follow a run until it has ended or rests at a question that nobody here answers."""
    asking = not output.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def over() -> bool:
        return follower.rests(private=asking or service.private)

    watch(follower, over)
    while asking and (asked := follower.view().questions):
        question = asked[0]
        for line in question_lines(question):
            output.note(line)
        choice = _answer(question, follower, output)
        if choice is None:
            return
        if choice:
            before = follower.entries
            service.decide(follower.run, question.key, choice, person(), "")
            follower.wait_beyond(before)
        watch(follower, over)


def _answer(question: QuestionView, follower: Follower, output: Output) -> str | None:
    """Return the choice that is typed, empty when the question went away meanwhile (it expired,
    or somebody else answered), None when the input ended."""
    said = ""
    while said not in question.choices:
        if said:
            output.note(f"{said!r} is none of: {', '.join(question.choices)}")
        sys.stderr.write("answer> ")
        sys.stderr.flush()
        while not select.select([sys.stdin], [], [], 0)[0]:
            follower.pull(PULL_S)
            if question not in follower.view().questions:
                output.note("\nthe question needs no answer any more")
                return ""
        line = sys.stdin.readline()
        if not line:
            return None
        said = line.strip()
    return said
