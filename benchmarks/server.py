"""The served processes: the application and the baseline, whose memory can be measured."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.server import ServerProcess


class MeasuredServer(ServerProcess):
    """A server whose memory can be read; that needs Linux."""

    def memory(self) -> float:
        """Return the resident memory, in MiB."""
        return self._memory("VmRSS")

    def reset_peak(self) -> None:
        """Let the peak of the memory start again from now."""
        self._proc("clear_refs").write_text("5")

    def peak(self) -> float:
        """Return the highest resident memory since `reset_peak`, in MiB."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> float:
        match = re.search(rf"^{name}:\s+(\d+) kB", self._proc("status").read_text(), re.MULTILINE)
        assert match
        return int(match[1]) / 1024

    def _proc(self, name: str) -> Path:
        assert self.process
        return Path("/proc", str(self.process.pid), name)


def application(environment: Mapping[str, str]) -> MeasuredServer:
    """Return the application, not started yet."""
    return MeasuredServer(["flask", "--app", "app", "serve"], "/login", environment, _log())


def baseline(environment: Mapping[str, str], driver: str = "") -> MeasuredServer:
    """Return the baseline, not started yet; with a `driver`, one that imports the same libraries."""
    module = ["benchmarks.baseline", *(["--libraries", driver] if driver else [])]
    return MeasuredServer(module, "/", environment, _log())


def tutorial(database: str) -> MeasuredServer:
    """Return the tutorial application on its database, not started yet."""
    module = ["benchmarks.tutorial", "--database", database]
    return MeasuredServer(module, "/expenses/1/edit", os.environ, _log())


def _log() -> Path:
    return Path(tempfile.gettempdir(), "ledger-benchmarks.log")
