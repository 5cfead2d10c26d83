"""Work that no page waits for, such as sending an email, in a thread of its own."""

import logging
import queue
import threading
from collections.abc import Callable

from flask import Flask, current_app

log = logging.getLogger("ledger")
Job = Callable[[], None]
# A mail server that does not respond must not fill the memory.
MAX_JOBS = 100


class Worker:
    """A thread that runs jobs one after the other, within the context of the application.

    It starts with the first job. Jobs that still wait when the process ends are lost.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._jobs: queue.Queue[Job] = queue.Queue(MAX_JOBS)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Run `job` soon. Never waits: when too many jobs are waiting, it is dropped."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            log.error("too many jobs are waiting, so one was dropped; is the mail server reachable?")

    def finish(self) -> None:
        """Wait until every job is done."""
        self._jobs.join()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
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


def run_in_background(job: Job) -> None:
    """Run `job` soon, in the worker of the current application, without the page waiting for it."""
    worker: Worker = current_app.extensions["worker"]
    worker.submit(job)
