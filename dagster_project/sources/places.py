"""Object stores and other places with an address (`s3://…`, `gs://…`, `https://…`), through fsspec.

Lives here: which files an address stands for, and having one at hand for as long as it is read: as a private file of
the home's, because formats are recognised before they are read, and Parquet is read from its end. Not here: what is in
a file; files of this machine (`intake.py`).
"""

import errno
import os
import posixpath
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dagster_project.errors import ConfideError
from dagster_project.storage.files import private_folder
from dagster_project.storage.landing_writer import SCRATCH

LOCAL = "file"
PLACES = (
    *("s3", "s3a", "gs", "gcs", "abfs", "az", "adl", "oss", "hdfs", "webhdfs", "sftp", "ssh", "smb"),
    *("hf", "http", "https", "memory"),
)
"""Those that hold whole files and keep no copy on this machine, where text would lie outside the home."""
BESIDE = {"conversations.json": "user.json"}
"""What an export's conversations are read together with, where it is there."""
_CHUNK = 1024 * 1024
_OF_THIS_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class PlaceError(ConfideError):
    """An address that cannot be read; the message says what is missing, without credentials."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a place. name: its address without credentials, for reports. n_bytes: 0 where it is not known."""

    name: str
    n_bytes: int
    path: str = field(repr=False)
    store: Any = field(repr=False, compare=False)

    @contextmanager
    def at_hand(self, folder: Path) -> Iterator[Path]:
        """The file, copied into a private folder that is gone afterwards. Raises PlaceError."""
        here = private_folder(folder / f"{SCRATCH}{secrets.token_hex(8)}")
        try:
            local = here / posixpath.basename(urlsplit(self.name).path)
            with _own_words(self.name):
                self._copy(self.path, local)
                if beside := BESIDE.get(local.name):
                    other = posixpath.join(posixpath.dirname(self.path), beside)
                    if self.store.isfile(other):
                        self._copy(other, local.with_name(beside))
            yield local
        finally:
            shutil.rmtree(here, ignore_errors=True)

    def _copy(self, path: str, local: Path) -> None:
        descriptor = os.open(local, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, self.store.open(path, "rb") as remote:
            shutil.copyfileobj(remote, file, _CHUNK)


def is_address(text: str) -> bool:
    """Whether this names a place rather than a path."""
    return "://" in text


def local_path(address: str) -> Path | None:
    """The path that a `file://` address stands for; None for any other."""
    parts = urlsplit(address)
    if parts.scheme.lower() != LOCAL:
        return None
    if parts.netloc not in ("", "localhost"):
        raise PlaceError(f"{address}: of this machine's files, write file:///… with three strokes, or the path")
    return Path(unquote(parts.path))


def files_at(address: str, is_readable: Callable[[str], bool]) -> tuple[list[RemoteFile], int]:
    """The files that an address stands for, by name, and how many of a folder's are of another kind.

    A file that is named is taken whatever it is called; of a folder, and of a pattern with `*`, those that are readable
    by their names and not hidden. Raises PlaceError.
    """
    store, root = _opened(address)
    with _own_words(shown(address)):
        if "*" in root:
            found = {path: about for path, about in store.glob(root, detail=True).items() if about["type"] == "file"}
        else:
            about = store.info(root)
            if about["type"] == "file":
                return [RemoteFile(shown(address), int(about.get("size") or 0), root, store)], 0
            found = store.find(root, detail=True)
    base = f"{urlsplit(address).scheme.lower()}://"
    taken = sorted(path for path in found if is_readable(path) and not _is_hidden(path, root))
    files = [RemoteFile(_name(base, path), int(found[path].get("size") or 0), path, store) for path in taken]
    return files, sum(not is_readable(path) for path in found)


def shown(address: str) -> str:
    """An address without what may be secret in it: user, password, and a query that may be signed."""
    parts = urlsplit(address)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _opened(address: str) -> tuple[Any, str]:
    place = urlsplit(address).scheme.lower()
    if place not in PLACES or "::" in address:
        raise PlaceError(f"{shown(address)}: this version reads files, and from {', '.join(f'{p}://' for p in PLACES)}")
    with _own_words(shown(address)):
        import fsspec

        store, root = fsspec.url_to_fs(address)
    return store, root


def _name(base: str, path: str) -> str:
    return shown(path) if is_address(path) else f"{base}{path.lstrip('/')}"


def _is_hidden(path: str, root: str) -> bool:
    inside = path.removeprefix(root).strip("/")
    return any(part.startswith(".") for part in inside.split("/"))


def _package(name: str) -> str:
    from fsspec.registry import known_implementations

    place = urlsplit(name).scheme
    # What fsspec reads http(s) with is its own module, and needs this one.
    return {"http": "aiohttp", "https": "aiohttp"}.get(place) or known_implementations[place]["class"].split(".")[0]


@contextmanager
def _own_words(name: str) -> Iterator[None]:
    """A store's own errors name keys and signed addresses: their type alone goes on."""
    try:
        yield
    except ConfideError:
        raise
    except ImportError:
        package = _package(name)
        raise PlaceError(
            f"{name}: needs a package that is not installed: pip install {package}, then the same command again"
        ) from None
    except FileNotFoundError:
        raise PlaceError(f"{name}: no such file or folder, or nobody answers there") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THIS_DISK:
            raise
        raise PlaceError(
            f"{name}: cannot be read ({type(error).__name__}): look at the address, and at the credentials in the "
            "environment; what had landed stays, and the same command goes on"
        ) from None
