"""The folder of a witness: its key, the keys of the logs it follows, what it last cosigned."""

import os
from pathlib import Path
from typing import Final

from swarm_ray.attestation.keys import SigningKey, load_signing_key
from swarm_ray.attestation.note import COSIGNATURE, NoteKey, check_name
from swarm_ray.errors import UsageError
from swarm_ray.witness.app import Witness, witness_app
from swarm_ray.witness.latest import Latest

_KEY: Final = "witness.pem"
_NAME: Final = "name"
_LOGS: Final = "logs"
_LATEST: Final = "latest.sqlite3"


class WitnessFolder:
    """One witness on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str) -> NoteKey:
        """Make a witness; return the key to give to the owners of logs.

        Raises:
            UsageError: `witness.exists`, `note.bad_name`.
        """
        check_name(name)
        Latest.create(self._folder / _LATEST)
        key = SigningKey.generate()
        descriptor = os.open(self._folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.to_pem())
        (self._folder / _NAME).write_text(f"{name}\n")
        return NoteKey(name, key.public, COSIGNATURE)

    def key(self) -> NoteKey:
        """Return the public key under the witness's name.

        Raises:
            UsageError: `witness.no_file`, `key.*`.
        """
        name = self._text(_NAME).strip()
        return NoteKey(name, load_signing_key(self._folder / _KEY).public, COSIGNATURE)

    def follow(self, text: str) -> None:
        """Follow one more log, or the same with another key.

        Args:
            text: its key, as `swarm-ray keys` prints it.

        Raises:
            UsageError: `note.bad_key`, `witness.no_file`.
        """
        self._text(_NAME)
        key = NoteKey.from_text(text)
        if key not in self.logs():
            with (self._folder / _LOGS).open("a") as file:
                file.write(f"{key.to_text()}\n")

    def logs(self) -> list[NoteKey]:
        """Return the keys of the logs that are followed.

        Raises:
            UsageError: `note.bad_key`.
        """
        path = self._folder / _LOGS
        lines = path.read_text().splitlines() if path.exists() else []
        return [NoteKey.from_text(line) for line in lines if line.strip()]

    def open(self) -> Witness:
        """Return the witness, ready to judge.

        Raises:
            UsageError: `witness.no_file`, `witness.follows_nothing`, `key.*`, `note.bad_key`.
        """
        name, logs = self.key().name, self.logs()
        if not logs:
            raise UsageError(
                "witness.follows_nothing",
                "the witness follows no log",
                hint="add the key of one with --follow",
            )
        signer = load_signing_key(self._folder / _KEY)
        return Witness(name, signer, logs, Latest(self._folder / _LATEST))

    def serve(self, host: str, port: int) -> None:
        """Answer requests until interrupted.

        Raises:
            UsageError: `witness.extra_missing`, and what `open` raises.
        """
        witness = self.open()
        try:
            import uvicorn

            app = witness_app(witness)
        except ImportError as error:
            raise UsageError(
                "witness.extra_missing",
                "a witness needs the packages fastapi and uvicorn",
                hint="pip install 'swarm-ray[gateway]'",
            ) from error
        uvicorn.run(app, host=host, port=port, log_level="warning")

    def _text(self, name: str) -> str:
        path = self._folder / name
        if not path.exists():
            raise UsageError(
                "witness.no_file",
                f"there is no witness in {self._folder}",
                hint="make one with --new NAME",
            )
        return path.read_text()
