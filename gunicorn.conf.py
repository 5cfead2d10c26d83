"""Configuration of gunicorn: run `gunicorn app:app` behind a proxy that buffers requests."""

from pathlib import Path
from typing import Any

from dotenv import load_dotenv

# The `flask` command reads .env automatically; gunicorn does not.
load_dotenv()

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 2
threads = 4
timeout = 30
graceful_timeout = 20
# Workers are replaced from time to time. The jitter keeps them from being replaced all at once.
max_requests = 10_000
max_requests_jitter = 1_000
limit_request_line = 8190
limit_request_fields = 50
limit_request_field_size = 8190
# ProxyFix reads the X-Forwarded headers, from as many proxies as PROXY_HOPS says. gunicorn itself would trust
# more headers, including SCRIPT_NAME, from any client on this machine.
forwarded_allow_ips = ""
# Workers write heartbeat files, which must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# gunicorn would otherwise open a control socket in the home folder.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Set up Python for many threads, and log which database is used, once."""
    # Imported here: a module that the master imports would stay outdated when workers are reloaded.
    import doctor
    import http_server

    http_server.prepare_process()
    if worker.age == 1:
        with worker.wsgi.app_context():
            doctor.log_start()
