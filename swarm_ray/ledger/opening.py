"""Where the ledger of a tenant is: in its folder, or on servers that any node can reach."""

from swarm_ray.config import Settings
from swarm_ray.ledger.body_files import BodyFiles, BodyPlace
from swarm_ray.ledger.body_objects import BodyObjects
from swarm_ray.ledger.database import open_database
from swarm_ray.ledger.postgres import open_server
from swarm_ray.ledger.reader import Reader
from swarm_ray.ledger.store import Store
from swarm_ray.ledger.tables import Database


def open_ledger(settings: Settings) -> Store:
    """Open a tenant's ledger for writing, making it when there is none.

    Raises:
        UsageError: `ledger.extra_missing`, `ledger.unknown_version`, `config.bad_url`.
        IntegrityError: `ledger.corrupt_file`.
        StorageError: `ledger.write_failed` when a server is out of reach.
    """
    return Store(_tables(settings, create=True), _bodies(settings))


def open_reader(settings: Settings) -> Reader:
    """Open a tenant's ledger beside its writer.

    Raises:
        UsageError: also `ledger.not_found`.
    """
    return Reader(_tables(settings, create=False), _bodies(settings))


def _tables(settings: Settings, *, create: bool) -> Database:
    if settings.ledger:
        return open_server(settings.ledger, settings.tenant, create=create, readonly=not create)
    return open_database(settings.folder, create=create, readonly=not create)


def shared_place(settings: Settings) -> BodyPlace | None:
    """Return where bundles are besides the tenant's folder, so that every node finds them."""
    return BodyObjects(settings.bodies, f"{settings.tenant}/bundles") if settings.bodies else None


def _bodies(settings: Settings) -> BodyPlace:
    if settings.bodies:
        return BodyObjects(settings.bodies, f"{settings.tenant}/bodies")
    return BodyFiles(settings.folder)
