"""The path below which the application runs, on a host that it shares with others."""

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class UrlPrefix:
    """WSGI application below a path such as `/ledger`.

    The prefix is a setting, never a header, which a client could send. A proxy may pass the whole path on, or the
    path without the prefix.
    """

    def __init__(self, application: WSGIApplication, prefix: str) -> None:
        self.application = application
        self.prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, whose path is split into the prefix and the rest."""
        # gunicorn splits the path by itself if SCRIPT_NAME is set.
        if environ.get("SCRIPT_NAME", "") != self.prefix:
            path = environ.get("PATH_INFO", "")
            if f"{path}/".startswith(f"{self.prefix}/"):
                environ["PATH_INFO"] = path[len(self.prefix) :] or "/"
            environ["SCRIPT_NAME"] = self.prefix
        return self.application(environ, start_response)


def check_public_url(url: str, prefix: str) -> str:
    """Return the address of the site without a slash at its end, or "" for none.

    Raises RuntimeError if it is not the address of a site, or does not end with the prefix.
    """
    url = url.strip().rstrip("/")
    parts = re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?(/[^\s?#]*)?", url)
    if url and (parts is None or (parts[1] or "") != prefix):
        raise RuntimeError(
            f"PUBLIC_URL must be the address of this site, such as https://ledger.example{prefix}. "
            "Its path is that of URL_PREFIX."
        )
    return url


def check_prefix(prefix: str) -> str:
    """Return `prefix` without a slash at its end, or "" for none. Raises RuntimeError if it is not a path."""
    prefix = prefix.strip().rstrip("/")
    parts = prefix.split("/")[1:]
    if prefix and (not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix) or {".", ".."} & {*parts}):
        raise RuntimeError("URL_PREFIX must be a path of letters and digits, such as /ledger.")
    return prefix
