"""Configuration of gunicorn for the baseline: the application's, without the database check at the start."""

import runpy
from typing import Any

import http_server
from tests.server import ROOT

globals().update(runpy.run_path(str(ROOT / "gunicorn.conf.py")))


def post_worker_init(_worker: Any) -> None:
    """Set up Python as for the application."""
    http_server.prepare_process()
