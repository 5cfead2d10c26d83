"""Work that no page waits for, such as sending an email, in a thread of its own."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from itertools import count

from flask import Flask, current_app

log = logging.getLogger("ledger")
Job = Callable[[], None]
# A mail server that does not respond must not fill the memory.
MAX_JOBS = 1_000


class Worker:
    """A thread that runs jobs one after the other, within the context of the application.

    It starts with the first job. Jobs that still wait when the process ends are lost.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        # Those that are due first come first, then those that were submitted first.
        self._jobs: queue.PriorityQueue[tuple[float, int, Job]] = queue.PriorityQueue(MAX_JOBS)
        self._numbers = count()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job, delay: float = 0) -> None:
        """Run `job` soon, but not before `delay` seconds. The delays of several jobs pass at the same time.

        Never waits: when too many jobs are waiting, it is dropped.
        """
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()
        try:
            self._jobs.put_nowait((time.monotonic() + delay, next(self._numbers), job))
        except queue.Full:
            log.error("too many jobs are waiting, so one was dropped; is the mail server reachable?")

    def finish(self) -> None:
        """Wait until every job is done."""
        self._jobs.join()

    def _run(self) -> None:
        while True:
            due_at, _number, job = self._jobs.get()
            time.sleep(max(0, due_at - time.monotonic()))
            try:
                with self._app.app_context():
                    job()
            except Exception as error:
                # Without the text of the error, in which a mail server may repeat an address.
                log.error("a job in the background failed: %s", type(error).__name__)
            finally:
                self._jobs.task_done()


def init_app(app: Flask) -> None:
    """Give `app` a worker."""
    app.extensions["worker"] = Worker(app)


def run_in_background(job: Job, delay: float = 0) -> None:
    """Run `job` after `delay` seconds in the worker of the current application; the page does not wait for it."""
    worker: Worker = current_app.extensions["worker"]
    worker.submit(job, delay)
