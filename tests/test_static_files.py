"""Static files: asked for once, compressed, and written for a web server in the same form."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import brotli
import pytest

import static_files
from tests.browsing import read

FOLDER = Path(static_files.__file__).parent / "static"
DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}


@pytest.fixture
def address(app):
    """Return the URL of a static file."""
    return lambda name: f"/static/{app.config['STATIC_VERSION']}/{name}"


def test_a_first_visit_takes_less_than_30_kb_besides_the_font(stranger):
    first = stranger.get("/login")
    page = read(first)
    # Browsers ask for the manifest and its icons only when the application is installed.
    named = page.all("link", rel="stylesheet") + page.all("link", rel="icon") + page.all("link", **{"as": "style"})
    links = [link["href"] for link in named]
    sent = len(first.data) + len(str(first.headers))

    for link in (*links, page.one("script")["src"]):
        with stranger.client.get(link, headers={"Accept-Encoding": "br"}) as response:
            sent += len(response.data) + len(str(response.headers))

    assert sent < 30_000


def test_a_page_names_files_that_browsers_keep_for_a_year(stranger):
    page = read(stranger.get("/login"))
    links = [element[name] for tag, name in (("link", "href"), ("script", "src")) for element in page.all(tag)]

    assert len(links) == 7
    for link in links:
        with stranger.get(link) as response:
            assert response.status_code == 200, link
            control = response.cache_control
            assert (control.max_age, control.immutable, control.no_cache) == (365 * 24 * 3600, True, None), link
            assert "Set-Cookie" not in response.headers


def test_the_files_that_a_stylesheet_and_the_manifest_name_are_there(stranger, address):
    for name in re.findall(r"""url\("([\w.-]+)"\)""", (FOLDER / "app.css").read_text()):
        with stranger.get(address(name)) as response:
            assert response.status_code == 200, name
    manifest = json.loads((FOLDER / "manifest.webmanifest").read_text())
    here = address("manifest.webmanifest")

    assert urljoin(here, manifest["start_url"]) == "/expenses"
    assert urljoin(here, manifest["scope"]) == "/"
    for icon in manifest["icons"]:
        with stranger.get(urljoin(here, icon["src"])) as response:
            assert (response.status_code, response.mimetype) == (200, icon["type"])


@pytest.mark.parametrize("name", ["app.css", "pico.min.css", "app.js", "icon.svg", "manifest.webmanifest"])
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("zstd", None),
        ("", None),
    ],
)
def test_text_is_compressed_as_the_browser_accepts_it(stranger, address, name, accepted, encoding):
    with stranger.get(address(name), headers={"Accept-Encoding": accepted}) as response:
        assert response.headers.get("Content-Encoding") == encoding
        assert DECODERS[encoding](response.data) == (FOLDER / name).read_bytes()
        assert response.headers["Vary"] == "Accept-Encoding"
        assert response.content_length == len(response.data)


def test_a_file_is_the_same_for_everybody(ana, address):
    with ana.get(address("icon-180.png")) as response:
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.vary


@pytest.mark.parametrize("name", ["inter-latin.woff2", "icon-180.png"])
def test_files_that_are_compressed_already_are_sent_unchanged(stranger, address, name):
    with stranger.get(address(name), headers={"Accept-Encoding": "gzip, br"}) as response:
        assert "Content-Encoding" not in response.headers
        assert response.data == (FOLDER / name).read_bytes()


def test_a_page_is_never_compressed(ana):
    response = ana.get("/expenses", headers={"Accept-Encoding": "gzip, br"})

    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "nothing.css", "", ".", "a%00.css"])
def test_nothing_else_is_sent(stranger, address, name):
    assert stranger.get(address(name), headers={"Accept-Encoding": "br"}).status_code == 404


def test_another_version_is_not_found(stranger):
    assert stranger.get("/static/000000000000/app.css").status_code == 404
    assert stranger.get("/static/app.css").status_code == 404


def test_while_the_files_are_edited_the_browser_asks_each_time(app, stranger, address, monkeypatch):
    monkeypatch.setattr(app, "debug", True)

    with stranger.get(address("app.css"), headers={"Accept-Encoding": "br"}) as response:
        assert response.cache_control.no_cache
        assert not response.cache_control.immutable
        assert response.data == (FOLDER / "app.css").read_bytes()


def test_the_version_changes_with_a_name_and_with_the_content(tmp_path):
    file = tmp_path / "a.css"
    versions = set()
    for content in ("one", "two"):
        file.write_text(content)
        versions.add(static_files.version_of(tmp_path))
    file.rename(tmp_path / "b.css")
    versions.add(static_files.version_of(tmp_path))

    assert len(versions) == 3


def test_the_files_can_be_written_for_a_web_server(app, run, stranger, address, tmp_path):
    code, printed = run("export-static", str(tmp_path / "new"))

    folder = tmp_path / "new" / app.config["STATIC_VERSION"]
    assert code == 0
    assert str(folder) in printed
    for ending, encoding in (("", None), (".gz", "gzip"), (".br", "br")):
        with stranger.get(address("app.css"), headers={"Accept-Encoding": encoding or ""}) as response:
            assert (folder / f"app.css{ending}").read_bytes() == response.data
    assert {path.name for path in folder.iterdir()} >= {path.name for path in FOLDER.iterdir()}


def test_a_folder_that_cannot_be_written_is_explained(run, tmp_path):
    (tmp_path / "taken").write_text("a file")

    code, printed = run("export-static", str(tmp_path / "taken"))

    assert code
    assert "taken" in printed
