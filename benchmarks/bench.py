"""The common setup of all measurements: the server processes, a database, and accounts of all sizes."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from benchmarks.accounts import email_of
from benchmarks.client import Client
from benchmarks.server import MeasuredServer
from tests.browsing import HttpClient

# The size of the small account in all targets.
FEW = 1_000


@dataclass
class Bench:
    """The application, the baseline and the tutorial application, all served, and the accounts by name."""

    application: MeasuredServer
    baseline: MeasuredServer
    tutorial: MeasuredServer
    engine: sa.Engine
    sizes: tuple[int, ...]
    guests: int
    quick: bool
    ids: dict[str, int]
    _known: dict[str, Client] = field(default_factory=dict)

    @property
    def sqlite(self) -> bool:
        """Tell whether this is SQLite, which most of the targets are for."""
        return self.engine.dialect.name == "sqlite"

    @property
    def largest(self) -> int:
        """The size of the largest account."""
        return self.sizes[-1]

    def owner(self, size: int) -> Client:
        """Return a client that is logged in to the account with this many expenses."""
        return self._person(owner_of(size))

    def guest(self, number: int) -> Client:
        """Return a client that is logged in to one of the many small accounts."""
        return self._person(guest_of(number))

    def _person(self, name: str) -> Client:
        if name not in self._known:
            self._known[name] = Client(self.application.port, email_of(name)).log_in()
        return self._known[name]

    def visitor(self) -> Client:
        """Return a client for the baseline."""
        return Client(self.baseline.port)

    def reader(self, size: int) -> HttpClient:
        """Return a client that is logged in to the tutorial application with this many expenses."""
        client = HttpClient(self.tutorial.port, keep_alive=True)
        client.open("GET", f"/login/{owner_of(size)}")
        return client

    def rounds(self, many: int) -> int:
        """Return how often to measure: a quarter when it has to be quick."""
        return max(3, many // 4) if self.quick else many


def owner_of(size: int) -> str:
    """Return the name of the account with this many expenses."""
    return f"owner-{size}"


def guest_of(number: int) -> str:
    """Return the name of one of the small accounts."""
    return f"guest-{number}"
