"""Deployment files, where they could become outdated."""

import re
import runpy
from pathlib import Path

from gunicorn.config import Config

import config

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# A file is sent with the other fields of its form.
ENVELOPE_BYTES = 100_000
UNITS = ("deploy/ledger.service", "deploy/ledger-backup.service")


def read(name):
    return (ROOT / name).read_text()


def test_the_pages_name_only_what_exists():
    named = [
        (page.parent, name) for page in PAGES for name in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
    ]
    named += [(ROOT, name) for page in PAGES for name in re.findall(r"\bdeploy/[\w.*-]+\w", page.read_text())]

    assert len(named) > 10
    assert [name for folder, name in named if not list(folder.resolve().glob(name))] == []


def test_gunicorn_accepts_its_settings(monkeypatch):
    monkeypatch.setattr("dotenv.load_dotenv", lambda: None)
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    found = Config()

    for name, value in settings.items():
        if not name.startswith("_") and not callable(value):
            found.set(name, value)

    assert found.control_socket_disable
    assert found.forwarded_allow_ips == []


def test_only_settings_that_exist_are_set():
    files = "".join(
        map(read, ("compose.yaml", "deploy/nginx.conf", "deploy/Caddyfile", "docs/deployment/proxy.md"))
    )
    named = set(re.findall(r"^ {6}([A-Z_]+): ", read("compose.yaml"), re.MULTILINE))
    named = {name for name in named if not name.startswith("POSTGRES_")} | set(re.findall(r"\b([A-Z_]+)=", files))

    assert {"DATABASE_URL_FILE", "HTTPS", "PROXY_HOPS"} <= named
    for name in named:
        assert f"`{name}`" in read("README.md")


def test_the_proxies_let_through_what_the_application_accepts():
    nginx, caddy = read("deploy/nginx.conf"), read("deploy/Caddyfile")
    limits = {
        "/imports": config.NUMBERS["IMPORT_MAX_BYTES"],
        "/account/restore": config.NUMBERS["RESTORE_MAX_BYTES"],
    }
    by_nginx = re.findall(r"location = (\S+) \{\n +client_max_body_size (\d+)m;", nginx)
    by_caddy = re.findall(r" path \*(\S+)\n\trequest_body @\w+ \{\n\t\tmax_size (\d+)MB\n", caddy)

    assert {path for path, _ in by_nginx} == {path for path, _ in by_caddy} == set(limits)
    assert [path for path, size in by_nginx if int(size) * 2**20 < limits[path] + ENVELOPE_BYTES] == []
    assert [path for path, size in by_caddy if int(size) * 10**6 < limits[path] + ENVELOPE_BYTES] == []
    # What to write for a prefix, and what has the smaller limit, name the same paths.
    assert [path for path in limits if f"location = /ledger{path} {{" not in nginx] == []
    assert f"@other not path {' '.join(f'*{path}' for path in limits)}\n" in caddy


def test_the_image_has_a_python_that_is_new_enough():
    target = re.search(r'target-version = "py3(\d+)"', read("pyproject.toml"))
    images = re.findall(r"^FROM python:3\.(\d+)-slim", read("Dockerfile"), re.MULTILINE)

    assert len(images) == 2
    assert len(set(images)) == 1
    assert int(images[0]) >= int(target[1])


def test_the_image_has_everything_that_the_application_reads():
    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}

    assert packages >= {"ledger", "views"}
    assert kept >= {"*.py", "migrations", "static", "templates", "pyproject.toml", "requirements.txt"} | packages
    # There are translations once there is a second language.
    assert [name for name in kept - {"translations"} if not list(ROOT.glob(name))] == []


def test_both_services_are_hardened_equally():
    web, backup = (set(read(name).partition("# Hardening")[2].splitlines()[1:]) for name in UNITS)

    assert "NoNewPrivileges=yes" in backup
    assert web - backup - {""} == {"[Install]", "WantedBy=multi-user.target"}
    assert backup - {""} <= web
