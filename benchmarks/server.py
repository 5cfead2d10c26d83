"""The server processes: the application and the baseline, whose memory and processor time can be measured."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.server import ServerProcess


class MeasuredServer(ServerProcess):
    """A server whose memory and processor time can be read; that needs Linux."""

    def memory(self) -> float:
        """Return the resident memory, in MiB."""
        return self._memory("VmRSS")

    def reset_peak(self) -> None:
        """Reset the peak of the memory."""
        self._proc("clear_refs").write_text("5")

    def peak(self) -> float:
        """Return the highest resident memory since `reset_peak`, in MiB."""
        return self._memory("VmHWM")

    def processor_seconds(self) -> float:
        """Return how long the child processes, the workers of gunicorn, were busy."""
        workers = self._proc(f"task/{self._pid}/children").read_text().split()
        stats = [Path("/proc", worker, "stat").read_text().rpartition(")")[2].split() for worker in workers]
        # The time in the programs themselves, and the time that the kernel worked for them.
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    def _memory(self, name: str) -> float:
        match = re.search(rf"^{name}:\s+(\d+) kB", self._proc("status").read_text(), re.MULTILINE)
        assert match
        return int(match[1]) / 1024

    def _proc(self, name: str) -> Path:
        return Path("/proc", str(self._pid), name)

    @property
    def _pid(self) -> int:
        assert self.process
        return self.process.pid


def application(environment: Mapping[str, str]) -> MeasuredServer:
    """Return the application, not started yet."""
    return MeasuredServer(["flask", "--app", "app", "serve"], "/login", environment, _log())


def baseline(environment: Mapping[str, str], driver: str = "") -> MeasuredServer:
    """Return the baseline, not started yet; with a `driver`, one that imports the same libraries."""
    module = ["benchmarks.baseline", *(["--libraries", driver] if driver else [])]
    return MeasuredServer(module, "/", environment, _log())


def gunicorn(environment: Mapping[str, str]) -> MeasuredServer:
    """Return the application as gunicorn serves it, not started yet."""
    return MeasuredServer(["gunicorn", "app:app"], "/login", environment, _log())


def gunicorn_baseline(environment: Mapping[str, str]) -> MeasuredServer:
    """Return the baseline as gunicorn serves it, with the same settings, not started yet."""
    module = ["gunicorn", "--config", "python:benchmarks.gunicorn_baseline", "benchmarks.baseline:app"]
    return MeasuredServer(module, "/", environment, _log())


def tutorial(database: str) -> MeasuredServer:
    """Return the tutorial application on its database, not started yet."""
    module = ["benchmarks.tutorial", "--database", database]
    return MeasuredServer(module, "/expenses/1/edit", os.environ, _log())


def _log() -> Path:
    return Path(tempfile.gettempdir(), "ledger-benchmarks.log")
