"""The number of rows that are written in one transaction: few enough that nobody has to wait for long."""

import time

from database.engine import POLL_SECONDS, others_wait

# How long a transaction should take. The first one has a part of the most rows, and none fewer than LEAST_ROWS: in
# even smaller transactions, a large operation would hardly ever finish on a busy computer.
TRANSACTION_SECONDS = 0.05
LEAST_ROWS, FIRST_PART = 500, 4
# The pause after a transaction, which is longer on a slow or busy computer. In it, other threads, which try every
# POLL_SECONDS, can get the write lock of SQLite.
PAUSE_SECONDS, PAUSE_SHARE = 0.005, 0.1
MAX_PAUSE_SECONDS = 0.02


class Pace:
    """The number of `rows` for the next of many transactions, depending on how long the last one took."""

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        self.rows = min(max(LEAST_ROWS, most_rows // FIRST_PART), most_rows)
        self._began_at = time.monotonic()

    def pause(self) -> None:
        """Let others write, after a transaction was committed."""
        took = time.monotonic() - self._began_at
        wanted = min(self.rows * TRANSACTION_SECONDS / took, 2 * self.rows) if took else self.most_rows
        self.rows = min(max(int(wanted), LEAST_ROWS), self.most_rows)
        time.sleep(min(max(PAUSE_SECONDS, PAUSE_SHARE * took), MAX_PAUSE_SECONDS))
        until = time.monotonic() + MAX_PAUSE_SECONDS
        while others_wait() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        self._began_at = time.monotonic()
