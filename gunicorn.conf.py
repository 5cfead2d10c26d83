"""How gunicorn runs the application: `gunicorn app:app`, behind a proxy that buffers requests."""

from pathlib import Path
from typing import Any

from dotenv import load_dotenv

# The `flask` command reads .env by itself; gunicorn has to be told.
load_dotenv()

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 2
threads = 4
timeout = 30
graceful_timeout = 20
# A worker is replaced now and then, not all at once.
max_requests = 10_000
max_requests_jitter = 1_000
limit_request_line = 8190
limit_request_fields = 50
limit_request_field_size = 8190
# ProxyFix reads the X-Forwarded headers, and only as many as there are proxies of ours; gunicorn would
# believe more of them, SCRIPT_NAME among them, from anybody on this machine.
forwarded_allow_ips = ""
# Signs of life are files, which must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# It would open a socket in the home folder, which nothing here needs.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Log where the data lies, once."""
    # Here, because what the master imports is still the old when the workers are renewed.
    import doctor

    if worker.age == 1:
        with worker.wsgi.app_context():
            doctor.log_start()
