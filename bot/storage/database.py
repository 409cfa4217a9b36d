"""The one database behind Attune: an embedded SQLite file, or PostgreSQL by URL."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from bot.core.errors import StorageError
from bot.storage import schema
from bot.storage.failures import BUSY_TIMEOUT_S, explain, place

POOL_SIZE = 5
POOL_OVERFLOW = 15
MIGRATION_LOCK = 0x41545455  # key of PostgreSQL's advisory lock while migrating
EXPECTED = "expected sqlite:///path/of/file.db or postgresql://user:password@host/database"


class Database:
    """A database and its connections; cheap to make, connects when first used.

    Attributes:
        url: SQLAlchemy's URL; printing it hides the password.
    """

    def __init__(self, url: str) -> None:
        """Prepares a database.

        Args:
            url: SQLAlchemy URL of an SQLite file or of PostgreSQL.

        Raises:
            StorageError: the URL is malformed, of another kind, or of a database in memory.
        """
        self.url = _parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine: Any = None
        self._engine_pid = 0
        self._engine_lock = threading.Lock()

    @property
    def engine(self) -> Any:
        """SQLAlchemy's engine of this process; a forked process gets one of its own."""
        with self._engine_lock:
            if self._engine is None or self._engine_pid != os.getpid():
                self._engine = _make_engine(self.url, self.is_sqlite)
                self._engine_pid = os.getpid()
            return self._engine

    @contextmanager
    def session(self, *, exclusive: bool = False) -> Iterator[Session]:
        """One transaction: commits at the end, rolls back on an error, and closes.

        Args:
            exclusive: take SQLite's write lock at once, so that what is read first still holds when it
                is written. PostgreSQL locks rows instead (`conversations.find(..., lock=True)`).

        Raises:
            StorageError: the database can't be reached or refuses.
        """
        with self._plain_words(), Session(self.engine, future=True, autoflush=False) as session:
            if exclusive and self.is_sqlite:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session
            session.commit()

    def migrate(self) -> None:
        """Brings the schema to the newest revision; safe when several processes start at once.

        Raises:
            StorageError: the database can't be used, or has a newer schema than this code.
        """
        self._prepare_file()
        with self._plain_words():
            if self.is_sqlite:
                self._switch_to_wal()
            with self.engine.connect() as connection:
                revision = schema.current(connection)
                self._refuse_newer(revision)
                if revision == schema.head():
                    return
            with self.engine.begin() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                revision = schema.current(connection)  # another process may have been quicker
                self._refuse_newer(revision)
                if revision != schema.head():
                    schema.upgrade(connection)

    def check(self, *, writes: bool = True) -> None:
        """Returns when the database can be read and written and has the schema this code expects.

        Args:
            writes: whether it has to be writable; a copy for reading may not be.

        Raises:
            StorageError: it can't, with the reason in one line.
        """
        path = self._file
        if path is not None and not path.exists():
            self._check_folder(path)
            raise StorageError(f"there is no database at {path} yet; `attune run` makes it at its start")
        with self._plain_words(), self.engine.connect() as connection:
            revision = schema.current(connection)
            self._refuse_newer(revision)
            if revision is None:
                raise StorageError(
                    f"the database {self._name} isn't set up; `attune run` sets it up at its start"
                )
            if revision != schema.head():
                raise StorageError(
                    f"the database {self._name} has an older schema ({revision}); "
                    "`attune run` brings it up to date at its start"
                )
            if writes:
                self._check_writable(connection)

    def close(self) -> None:
        """Closes every connection; the next use opens new ones."""
        with self._engine_lock:
            if self._engine is not None and self._engine_pid == os.getpid():
                self._engine.dispose()
            self._engine = None

    @property
    def _name(self) -> str:
        return place(self.url) if self.is_sqlite else f"{self.url.database!r} at {place(self.url)}"

    @property
    def _file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL and for SQLite's own file: addresses."""
        if not self.is_sqlite or self.url.database.startswith("file:"):
            return None
        return Path(self.url.database)

    @contextmanager
    def _plain_words(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
            raise StorageError(explain(error, self.url)) from error

    def _refuse_newer(self, revision: str | None) -> None:
        if revision is not None and not schema.is_known(revision):
            raise StorageError(
                f"the database {self._name} has a newer schema ({revision}) than this version of Attune "
                f"knows ({schema.head()}); update Attune, or choose another database"
            )

    def _prepare_file(self) -> None:
        """Makes the folder and the file, readable by nobody else: they hold what people confided."""
        path = self._file
        if path is None or path.exists():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StorageError(f"can't write the database {path}: {error.strerror}") from error

    @staticmethod
    def _check_folder(path: Path) -> None:
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError(f"can't write the database {path}: the folder {folder} is not writable")

    def _switch_to_wal(self) -> None:
        """Lets readers and a writer work at once; the file remembers it."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                with self.engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except DBAPIError as error:
                # SQLite's own wait doesn't cover this switch, when several processes start at once.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _check_writable(self, connection: Any) -> None:
        if self.is_sqlite:
            # A write that is taken back: only writing shows that a file is read-only.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            table = schema.VERSION_TABLE
            connection.exec_driver_sql(f"UPDATE {table} SET version_num = version_num")
            connection.rollback()
            return
        if connection.execute(sa.text("SHOW transaction_read_only")).scalar() == "on":
            raise StorageError(f"the database {self._name} is read-only")
        if not connection.execute(sa.text("SELECT has_table_privilege('turns', 'INSERT')")).scalar():
            raise StorageError(f"user {self.url.username!r} may not write to the database {self._name}")


def _parse(text: str) -> Any:
    if text.startswith("postgres://"):  # as several hosts still hand it out
        text = text.replace("postgres://", "postgresql://", 1)
    try:
        url = sa.engine.make_url(text)
    except (SQLAlchemyError, ValueError) as error:
        # The text itself is left out: it may hold a password.
        raise StorageError(f"the database URL can't be read; {EXPECTED}") from error
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg2"):
        raise StorageError(f"the database URL is of kind {url.drivername!r}; {EXPECTED}")
    if url.get_backend_name() == "sqlite" and (not url.database or ":memory:" in url.database):
        raise StorageError(f"an SQLite database in memory would lose everything; {EXPECTED}")
    return url


def _make_engine(url: Any, is_sqlite: bool) -> Any:
    if not is_sqlite:
        return sa.create_engine(
            url,
            future=True,
            hide_parameters=True,  # an error in the log must not quote what a person wrote
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_pre_ping=True,  # a restarted server costs no turn
            connect_args={"connect_timeout": int(BUSY_TIMEOUT_S), "application_name": "attune"},
        )
    engine = sa.create_engine(
        url,
        future=True,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
