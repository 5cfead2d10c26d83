"""Served processes: the application and the floor, each by a waitress of its own."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
START_SECONDS = 60
SETTINGS = ("HTTPS", "TRUSTED_HOSTS", "PROXY_HOPS", "SECRET_KEY_FALLBACKS", "DEFAULT_CURRENCY", "TIMEZONE")


class Served:
    """A process that serves pages on a port of this machine, from `start` to `stop`."""

    def __init__(self, command: list[str], first_page: str, environment: dict[str, str] | None = None) -> None:
        self.port = _free_port()
        self.command = [sys.executable, "-m", *command, "--port", str(self.port)]
        self.address = f"http://127.0.0.1:{self.port}{first_page}"
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the process and return how many seconds passed until its first page was here."""
        started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.environment or None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() > started + START_SECONDS:
                raise RuntimeError(f"did not start: {' '.join(self.command)}")
            time.sleep(0.005)
        return time.perf_counter() - started

    def _answers(self) -> bool:
        try:
            with urlopen(self.address, timeout=START_SECONDS) as response:
                return bool(response.read())
        except (URLError, ConnectionError):
            return False

    def stop(self) -> None:
        """End this very process."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def memory(self) -> float:
        """Return the resident memory, in MiB; needs Linux, as what follows does."""
        return self._memory("VmRSS")

    def forget_peak(self) -> None:
        """Let the peak of the memory begin again from now."""
        self._proc("clear_refs").write_text("5")

    def peak(self) -> float:
        """Return the highest resident memory since `forget_peak`, in MiB."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB", self._proc("status").read_text(), re.MULTILINE)
        assert found
        return int(found[1]) / 1024

    def _proc(self, name: str) -> Path:
        assert self.process
        return Path("/proc", str(self.process.pid), name)


def settings(database: str) -> dict[str, str]:
    """Return the environment of an application on this database, whose log-ins are not throttled."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    own = {"DATABASE_URL": database, "SECRET_KEY": secrets.token_hex(32), "FLASK_SKIP_DOTENV": "1"}
    return kept | own | {"THROTTLE_ACCOUNT": "0", "THROTTLE_ADDRESS": "0"}


def upgrade(environment: dict[str, str]) -> None:
    """Bring the database up to date."""
    command = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def application(environment: dict[str, str]) -> Served:
    """Return the application, not started yet."""
    return Served(["flask", "--app", "app", "serve"], "/login", environment)


def floor(driver: str = "") -> Served:
    """Return the floor, not started yet; with a `driver`, one that imports it and the application's libraries."""
    return Served(["benchmarks.floor", *(["--libraries", driver] if driver else [])], "/")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
