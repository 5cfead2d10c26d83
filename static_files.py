"""Static files: names that change with the content, so that browsers never ask again, and compressed copies.

Pages are never compressed, because they contain secrets next to user input. These files contain neither.
"""

import gzip
import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import brotli
import click
import flask
from flask import Flask, request, send_from_directory
from flask.cli import with_appcontext
from werkzeug.security import safe_join

YEAR_SECONDS = 365 * 24 * 3600
TEXT_SUFFIXES = frozenset({".css", ".js", ".svg", ".webmanifest"})
# The encodings, the best first: the ending of the copy, and how it is made.
ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "br": (".br", brotli.compress),
    "gzip": (".gz", lambda content: gzip.compress(content, mtime=0)),
}


def version_of(folder: Path) -> str:
    """Return 12 hexadecimal digits that change when a file of `folder` does."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def init_app(app: Flask) -> None:
    """Serve the static folder below a path with its version, so that files can name each other as before."""
    folder = Path(app.root_path, "static")
    app.config["STATIC_VERSION"] = version = version_of(folder)
    app.cli.add_command(export_static)
    app.add_url_rule(f"/static/{version}/<path:filename>", endpoint="static", view_func=send_static)


def send_static(filename: str) -> flask.Response:
    """Send a static file, in the best encoding that the browser accepts."""
    app = flask.current_app
    folder = Path(app.root_path, "static")
    path = safe_join(str(folder), filename)
    response = send_from_directory(folder, filename, max_age=YEAR_SECONDS)
    # Under `flask --debug`, the files change while the version stays.
    response.cache_control.no_cache = True if app.debug else None
    response.cache_control.immutable = not app.debug
    if path is None or Path(path).suffix not in TEXT_SUFFIXES:
        return response
    response.vary.add("Accept-Encoding")
    encoding = next((name for name in ENCODINGS if request.accept_encodings.quality(name)), None)
    if encoding and not app.debug and response.status_code == 200:
        response.close()
        response.direct_passthrough = False
        response.set_data(compressed(Path(path), encoding))
        response.content_encoding = encoding
        response.set_etag(f"{app.config['STATIC_VERSION']}{ENCODINGS[encoding][0]}")
    return response


@lru_cache(maxsize=32)
def compressed(path: Path, encoding: str) -> bytes:
    """Return the content of a file in one of the ENCODINGS."""
    return ENCODINGS[encoding][1](path.read_bytes())


@click.command("export-static")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_appcontext
def export_static(folder: Path) -> None:
    """Write the static files and their compressed copies, for a web server that sends them itself."""
    try:
        number = export(Path(flask.current_app.root_path, "static"), folder)
    except OSError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {number} files to {folder / flask.current_app.config['STATIC_VERSION']}.")


def export(source: Path, folder: Path) -> int:
    """Write the files of `source` to a subfolder of `folder` named after their version; return how many.

    Those of earlier versions stay, for pages that are still open. Raises OSError.
    """
    target = folder / version_of(source)
    target.mkdir(parents=True, exist_ok=True)
    number = 0
    for path in sorted(source.iterdir()):
        copies = {path.name: path.read_bytes()}
        if path.suffix in TEXT_SUFFIXES:
            copies |= {f"{path.name}{ending}": compressed(path, name) for name, (ending, _) in ENCODINGS.items()}
        for name, content in copies.items():
            (target / name).write_bytes(content)
        number += len(copies)
    return number
