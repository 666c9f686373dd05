"""The ledger's own key: contents are known in it by hashes under this key, whatever the home's key is or becomes.

Lives here: the key file and the fingerprint by which a wrong key is refused. Not here: hashing (`pseudonyms.py`).
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from dagster_project.storage.files import private_folder
from dagster_project.storage.request_ledger.records import LedgerError
from dagster_project.storage.request_ledger.schema import ABOUT

KEY_BYTES = 32


def key_of(connection: Connection, file: Path, ledger: str) -> bytes:
    """The key of this ledger, made when neither has been used before.

    file: 32 random bytes, 0600. Raises LedgerError when the file is missing, unsafe or another ledger's.
    """
    known = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == "key")).scalar()
    if known is None:
        _make(file)
    key = _read(file, ledger)
    fingerprint = hmac.new(key, b"confide request ledger", hashlib.sha256).hexdigest()[:32]
    if known is None:
        connection.execute(insert(ABOUT), {"name": "key", "value": fingerprint})
    elif not hmac.compare_digest(str(known), fingerprint):
        raise LedgerError(f"{file} is not the key of the ledger {ledger}: give the key that the ledger was made with")
    return key


def _make(file: Path) -> None:
    """Whole or not at all: another ledger's process may be making the same file."""
    if file.exists():
        return
    private_folder(file.parent)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(secrets.token_bytes(KEY_BYTES))
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def _read(file: Path, ledger: str) -> bytes:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        key = file.read_bytes()
    except OSError:
        raise LedgerError(
            f"the key file {file} cannot be read: restore it, what the ledger {ledger} holds is known by it alone"
        ) from None
    if mode & 0o077:
        raise LedgerError(f"the key file {file} is readable by others: chmod 600 it")
    if len(key) != KEY_BYTES or len(set(key)) < 8:
        raise LedgerError(f"the key file {file} is not {KEY_BYTES} random bytes: restore it from backup")
    return key
