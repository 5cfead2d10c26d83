"""Files that only the application may read, and messages for those that it cannot use."""

import os
import pwd
from pathlib import Path

import sqlalchemy as sa

# SQLite keeps the newest changes in additional files next to the database.
SQLITE_SUFFIXES = ("", "-wal", "-shm")


def create_private_file(url: sa.URL, folder: str) -> None:
    """Create the SQLite file of `url` with mode 0600, which SQLite then uses for its other files as well.

    Raises RuntimeError when the file, or those beside it, cannot be written.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(folder, url.database)
    file = path.parent
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in SQLITE_SUFFIXES:
            file = path.with_name(f"{path.name}{suffix}")
            if not suffix or file.exists():
                os.close(os.open(file, os.O_RDWR | (0 if suffix else os.O_CREAT), 0o600))
    except OSError as error:
        raise cannot_be_used(file, error) from None


def cannot_be_used(path: Path, error: OSError) -> RuntimeError:
    """Return an error that tells an administrator why `path` cannot be used, and what to do about it."""
    text = f"{path} cannot be used: {error.strerror}."
    if isinstance(error, PermissionError):
        user, existing = _user_name(os.geteuid()), _nearest_existing(path)
        owner = _user_name(existing.stat().st_uid)
        if owner != user:
            text += f" {existing} belongs to {owner}, but this process runs as {user}."
        text += f" To give it access, run as root: chown -R {user} '{existing}' && chmod u+rwX '{existing}'"
    return RuntimeError(text)


def _nearest_existing(path: Path) -> Path:
    """Return `path`, or the closest folder above it that this process can see."""
    for candidate in (path, *path.parents):
        try:
            candidate.stat()
        except OSError:
            continue
        return candidate
    return Path("/")


def _user_name(user_id: int) -> str:
    """Return the name of a user of this machine; in a container there is often none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
