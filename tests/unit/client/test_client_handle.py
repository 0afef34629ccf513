"""One handle per run: results, errors, streams and steering, with and without an event loop."""

import asyncio
import pickle

import pytest

import swarm_ray as swarm
from swarm_ray.client.outcomes import RunCancelled
from swarm_ray.client.session import Session
from swarm_ray.engine.lifecycle import EVENTS
from swarm_ray.errors import UsageError

pytestmark = pytest.mark.usefixtures("session")

LABELLED = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "label": {"type": "string"}},
    "required": ["word", "label"],
}


def shout(item):
    return item.upper()


def together(results, ctx):
    return results


def mapped(*words: str, **limits) -> swarm.RunHandle:
    retry = {"max_attempts": 2, "initial_interval": "10ms"}
    return swarm.map(shout, list(words), retry=retry, **limits)


def skipping(ratio: float = 0.5) -> swarm.Collect:
    return swarm.Collect(min_success_ratio=ratio, failure_action="skip")


def test_results_come_in_input_order_with_what_each_item_cost():
    result = mapped("pear", "flaky", "apple").result(20)
    assert [item.output["word"] for item in result] == ["pear", "flaky", "apple"]
    assert [item.attempts for item in result] == [1, 2, 1]
    assert result.output == [item.output for item in result.ok]
    assert result.usage.attempts == 4
    assert result.usage.tokens == 30
    assert result.cost_usd == pytest.approx(0.0045)


@pytest.mark.parametrize("word", ["collect", "merge", "reduce", "vote", "custom"])
def test_a_convergence_given_as_a_word_is_told_which_object_it_means(word: str):
    with pytest.raises(UsageError, match=r"map\.bad_convergence") as caught:
        mapped("pear", convergence=word)
    assert f"swarm.{word.capitalize()}(...)" in caught.value.hint


def test_a_partial_result_names_the_items_that_were_skipped_and_why():
    result = mapped("pear", "bad", "apple", convergence=skipping()).result(20)
    assert [item.ordinal for item in result.ok] == [0, 2]
    (skipped,) = result.skipped
    assert skipped.code == "skill.raised"
    assert skipped.error.startswith("ValueError: <b>bad</b>")
    assert skipped.output is None


def test_too_few_successes_raise_an_error_that_holds_what_succeeded():
    with pytest.raises(swarm.MinSuccessNotMet) as caught:
        mapped("pear", "bad").result(20)
    error = caught.value
    assert error.code == "run.min_success_not_met"
    assert error.fields["cause"] == "swarm.min_success"
    assert "\n" not in error.message
    assert [item.output["word"] for item in error.result.ok] == ["pear"]
    assert [item.ordinal for item in error.result.failed] == [1]


def test_an_error_with_its_result_survives_pickle():
    with pytest.raises(swarm.RunFailed) as caught:
        mapped("pear", "hopeless").result(20)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value)
    assert (copy.code, copy.fields) == (caught.value.code, caught.value.fields)
    assert copy.result == caught.value.result


def test_a_deadline_ends_the_run_and_keeps_what_is_done():
    with pytest.raises(swarm.DeadlineExceeded) as caught:
        mapped("pear", "slow", deadline="600ms").result(20)
    assert [item.output["word"] for item in caught.value.result.ok] == ["pear"]


def test_a_result_that_is_not_there_in_time_is_a_timeout_and_the_run_goes_on():
    handle = mapped("slow")
    with pytest.raises(TimeoutError):
        handle.result(0.2)
    assert handle.status() == "running"
    handle.cancel()
    with pytest.raises(RunCancelled):
        handle.result(20)
    assert handle.status() == "cancelled"


def test_one_item_can_be_cancelled():
    handle = mapped("pear", "slow", convergence=skipping())
    for record in handle.stream():
        if record.event == "worker.completed":
            handle.cancel(1)
    result = handle.result(20)
    assert [item.status for item in result] == ["ok", "cancelled"]
    with pytest.raises(UsageError) as caught:
        handle.cancel(0)
    assert caught.value.code == "run.not_open"


def test_a_stream_tells_every_attempt_once_and_ends_with_the_run():
    records = list(mapped("pear", "flaky", "bad", convergence=skipping()).stream())
    events = [record.event for record in records]
    assert set(events) <= set(EVENTS)
    assert events[0] == "swarm.started"
    assert events[-2:] == ["swarm.converging", "swarm.completed"]
    assert events.count("worker.started") == 3
    assert events.count("worker.retried") == 1
    assert events.count("worker.completed") == 2
    assert events.count("worker.failed") == 2
    done = next(one for one in records if one.event == "worker.completed" and one.item == 0)
    assert done.output["word"] == "pear"
    assert done.correlation.endswith("/worker-000")


def test_an_aborted_swarm_says_so_in_the_stream():
    records = list(mapped("hopeless").stream())
    assert records[-1].event == "swarm.aborted"
    assert records[-1].code == "worker.wrong_bundle"


def test_a_running_event_loop_is_enough():
    async def work() -> tuple[list[str], swarm.RunResult]:
        handle = mapped("pear", "apple")
        events = [record.event async for record in handle.stream()]
        return events, await handle

    events, result = asyncio.run(work())
    assert events[-1] == "swarm.completed"
    assert [item.output["word"] for item in result] == ["pear", "apple"]


def test_two_runs_are_awaited_side_by_side():
    async def work() -> list[swarm.RunResult]:
        return await asyncio.gather(mapped("pear"), mapped("apple"))

    assert [one.output[0]["word"] for one in asyncio.run(work())] == ["pear", "apple"]


def test_a_vote_takes_the_answer_of_the_most():
    handle = mapped(
        "ant", "bee", "bat", convergence=swarm.Vote(label="label"), output_schema=LABELLED
    )
    assert handle.result(20).output["label"] == "b"
    assert handle.report()["map"]["votes"][0][0] == "b"


def test_a_merge_runs_over_the_accepted_results():
    handle = mapped("ant", "bee", convergence=swarm.Merge(together))
    assert handle.result(20).output == {"merged": ["ant", "bee"]}


def test_a_failed_run_can_be_resumed_and_repeats_nothing_that_is_done():
    handle = mapped("pear", "bad")
    with pytest.raises(swarm.MinSuccessNotMet):
        handle.result(20)
    with pytest.raises(swarm.MinSuccessNotMet) as caught:
        handle.resume(failed=True).result(20)
    assert [item.attempts for item in caught.value.result.items] == [1, 2]


def test_a_handle_finds_its_run_again(session: Session):
    handle = mapped("pear")
    handle.result(20)
    assert swarm.attach(handle.id[-8:]).result(5).output == handle.result(5).output
    assert [one.id for one in swarm.runs()] == [handle.id]
    with pytest.raises(UsageError) as caught:
        swarm.attach("nothing-like-it")
    assert caught.value.code == "run.unknown"


def test_the_report_of_a_failed_swarm_lists_what_is_missing():
    handle = mapped("pear", "bad")
    with pytest.raises(swarm.MinSuccessNotMet):
        handle.result(20)
    report = handle.report()["map"]
    assert report["ended_by"] == "swarm.min_success"
    assert [one["ordinal"] for one in report["unsuccessful"]] == [1]


def test_cost_adds_up_over_steps():
    handle = mapped("pear", "flaky")
    handle.result(20)
    cost = handle.cost()
    assert (cost.attempts, cost.tokens, cost.microusd) == (3, 20, 3_000)
    assert sum(step.tokens for step in cost.steps) == cost.tokens


def test_tables_have_a_row_per_item():
    handle = mapped("pear", "bad", convergence=skipping())
    table = handle.to_arrow()
    assert table.num_rows == 2
    assert table.column("status").to_pylist() == ["ok", "skipped"]
    assert table.column("output").to_pylist() == [{"word": "pear", "label": "p"}, None]


def test_a_notebook_shows_a_card_with_everything_escaped():
    handle = mapped("pear", "bad")
    with pytest.raises(swarm.MinSuccessNotMet):
        handle.result(20)
    bundle = handle._repr_mimebundle_()
    assert bundle["text/html"] == handle._repr_html_()
    assert "&lt;b&gt;bad&lt;/b&gt;" in bundle["text/html"]
    assert "<b>bad" not in bundle["text/html"]
    assert "1 of 2 items done" in bundle["text/plain"]
