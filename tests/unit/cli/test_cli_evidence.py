"""export, verify and keys, as a person calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ray.attestation.note import NoteKey
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.receipts import check_receipt

VERIFIER = Path(__file__).parents[3] / "tools" / "verify_bundle.py"


@pytest.fixture
def done(cli, folder) -> str:
    """The id of a finished run."""
    people = '["Ada", "flaky", "broken"]'
    result = cli("run", ".", "-i", f"people={people}", "--json")
    return json.loads(result.stdout.splitlines()[-1])["run"]


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_run_is_exported_and_verified_by_all_three(cli, done, folder):
    made = cli("export", "last", "-o", "review.bundle")
    assert made.exit_code == 0, made.output
    assert "Wrote review.bundle" in made.stdout
    [root] = [one for one in lines(cli("keys", "list", "--json")) if one["role"] == "root"]
    for what in ("review.bundle", "last", done[-8:]):
        told = cli("verify", what, "--root-key", root["public_key"])
        assert told.exit_code == 0, told.output
        assert "Unchanged: run" in told.stdout
        assert "does not mean true" in told.stdout
    by_file, by_run = (lines(cli("verify", what, "--json"))[0] for what in ("review.bundle", done))
    assert by_file == by_run
    command = [
        sys.executable,
        "-I",
        str(VERIFIER),
        "review.bundle",
        "--root-key",
        root["public_key"],
    ]
    alone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert alone.returncode == 0, alone.stdout
    assert "you gave" in alone.stdout


def test_a_tampered_file_is_refused_with_exit_code_6(cli, done, folder):
    cli("export", done, "-o", "review.bundle")
    data = bytearray(Path("review.bundle").read_bytes())
    data[data.index(b"skill.raised", data.index(b"run/tile/entries"))] ^= 1
    Path("review.bundle").write_bytes(data)
    told = cli("verify", "review.bundle")
    assert told.exit_code == 6
    assert "of the run log was altered" in told.stderr
    wrong = cli("verify", done, "--root-key", "11" * 32)
    assert wrong.exit_code in (2, 6)
    Path("review.bundle").write_bytes(b"")
    assert cli("verify", "review.bundle").exit_code == 6


def test_bodies_are_left_out_by_wish(cli, done, folder):
    cli("export", done, "-o", "all.bundle")
    bare = cli("export", done, "-o", "bare.bundle", "--without-bodies", "--json")
    some = cli("export", done, "-o", "some.bundle", "--bodies", "error", "--json")
    assert lines(bare)[0]["bodies"] == 0
    assert 0 < lines(some)[0]["bodies"] < 5
    assert b"Good day" in Path("all.bundle").read_bytes()
    assert b"Good day" not in Path("bare.bundle").read_bytes()
    assert "Gone or left out" in cli("verify", "bare.bundle").stdout
    for words in (("--bodies", "secrets"), ("--bodies", "error", "--without-bodies")):
        assert cli("export", done, "-o", "x.bundle", *words).exit_code == 2
    assert not Path("x.bundle").exists()


def test_what_is_not_there_is_said_with_a_remedy(cli, folder):
    for words in (("verify", "nothing"), ("export", "last", "-o", "x")):
        told = cli(*words)
        assert told.exit_code == 2
        assert "remedy:" in told.stderr


def test_keys_are_listed_shown_enrolled_rotated_and_revoked(cli, done, folder):
    roles = [one["role"] for one in lines(cli("keys", "list", "--json"))]
    assert roles[:4] == ["root", "site", "coordinator", "log"]
    log = lines(cli("keys", "list", "--json"))[3]
    assert NoteKey.from_text(log["note_key"]).name == log["name"]
    assert f"--follow {log['note_key']}" in cli("keys", "list").stdout
    assert "host" in roles
    root = lines(cli("keys", "show", "--json"))[0]
    assert f"public key: {root['public_key']}" in cli("keys", "show").stdout
    assert cli("keys", "init").exit_code == 2
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # RFC 8032, test 1
    made = cli("keys", "enrol", "host", "partner-1", public, "--days", "3")
    assert "Certified host partner-1" in made.stdout
    assert cli("keys", "enrol", "host", "nobody", "00" * 32).exit_code == 2
    assert cli("keys", "enrol", "king", "nobody", public).exit_code == 2
    assert cli("keys", "rotate", "log").exit_code == 0
    assert cli("keys", "rotate", "host").exit_code == 2
    host = next(one for one in lines(cli("keys", "list", "--json")) if one["role"] == "host")
    assert cli("keys", "revoke", host["keyid"][:16], "--reason", "lost").exit_code == 0
    assert cli("keys", "revoke", "root").exit_code == 2
    assert cli("keys", "show", "host").exit_code == 2, "there are several"


def test_keys_can_be_made_before_anything_ran(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from swarm_ray.cli.main import app
    from swarm_ray.client.session import Session, using
    from swarm_ray.config import Settings

    runner, settings = CliRunner(), Settings(home=tmp_path)
    with using(Session(settings)):
        assert "no keys here yet" in runner.invoke(app, ["keys", "list"]).stdout
        made = runner.invoke(app, ["keys", "init"])
        assert made.stdout.startswith("Root key of local: ")
        found = lines(runner.invoke(app, ["keys", "list", "--json"]))
        assert [(one["role"], one["state"]) for one in found] == [
            ("root", "waiting"),
            ("site", "waiting"),
        ]
    pem = (tmp_path / "keys" / "local" / "root.pem").read_bytes()
    assert pem.splitlines()[1].decode() not in made.stdout


def test_an_open_run_is_exported_as_far_as_it_was_sealed(cli, session, folder):
    waiting = cli("run", "asking.yaml", "-i", 'people=["Ada"]')
    assert waiting.exit_code == 3
    early = cli("export", "last", "-o", "early.bundle")
    assert early.exit_code == 2
    assert "export.not_sealed" in early.stderr
    service = session.service()
    service._call(lambda: service._coordinator.vigil.beat("alive"))
    assert cli("export", "last", "-o", "open.bundle").exit_code == 0
    told = lines(cli("verify", "open.bundle", "--json"))[0]
    assert told["status"] == "open"
    assert cli("verify", "last").exit_code == 0


def test_a_receipt_proves_one_result_to_whoever_knows_the_root(cli, done, folder):
    made = cli("receipt", "last", "0", "-o", "ada.receipt", "--json")
    assert made.exit_code == 0, made.output
    [proven] = lines(made)
    assert (proven["run"], proven["item"], proven["status"]) == (done, 0, "ok")
    assert proven["bytes"] == Path("ada.receipt").stat().st_size < 20_000
    assert Path("ada.receipt").read_text().startswith("c2sp.org/tlog-proof@v1\n")
    told = cli("verify", "ada.receipt", "--root-key", proven["root_key"])
    assert told.exit_code == 0, told.output
    assert "Unchanged: item 0 of run" in told.stdout
    assert "root key that you gave" in told.stdout
    assert cli("verify", "ada.receipt", "--root-key", "11" * 32).exit_code in (2, 6)


def test_no_byte_of_a_receipt_can_change(cli, done, folder):
    cli("receipt", "last", "0", "-o", "ada.receipt")
    data = Path("ada.receipt").read_bytes()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises((IntegrityError, UsageError)):
            check_receipt(bytes(changed))
    for cut in (b"", data[:-1], data[: len(data) // 2], data + b"\n"):
        with pytest.raises(IntegrityError):
            check_receipt(cut)


@pytest.mark.parametrize(
    ("item", "code"),
    [("9", "receipt.no_result"), ("x", "receipt.bad_item"), ("no:0", "receipt.unknown_step")],
)
def test_a_receipt_of_nothing_is_refused(cli, done, folder, item, code):
    told = cli("receipt", "last", item, "-o", "x.receipt")
    assert told.exit_code == 2
    assert f"error [{code}]" in told.stderr
    assert not Path("x.receipt").exists()
