"""Storage on its own: URLs, plain words for failures, the embedded file."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.core.errors import StorageError
from bot.storage import conversations, turns
from bot.storage.columns import storable_json, storable_text
from bot.storage.database import Database
from bot.storage.failures import explain


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/d",
        "nonsense secret",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+asyncpg://secret@h/d",
    ],
)
def test_urls_that_will_not_do_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(StorageError, match="expected sqlite:///") as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_the_older_name_of_postgresql_is_understood() -> None:
    assert Database("postgres://u:p@h/d").url.drivername == "postgresql"


def test_nothing_connects_before_it_is_used() -> None:
    Database("postgresql://u:p@127.0.0.1:1/d").close()


def test_a_port_where_nothing_listens_is_named() -> None:
    with pytest.raises(StorageError, match=r"^no PostgreSQL answers at 127\.0\.0\.1:1$"):
        Database("postgresql://u:secret@127.0.0.1:1/d").check()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('FATAL:  password authentication failed for user "u"', "refused the password of user 'u'"),
        ('FATAL:  role "u" does not exist', "no user 'u'"),
        ('relation "turns" does not exist', "isn't set up"),
        ("cannot execute INSERT in a read-only transaction", "is read-only"),
        ("permission denied for table turns", "may not write"),
        ("could not translate host name", "isn't known"),
        ("something with secret inside\nand more", r"something with \*\*\* inside$"),
        ("", "no reason given"),
    ],
)
def test_postgresqls_errors_in_plain_words(text: str, meaning: str) -> None:
    url = sa.engine.make_url("postgresql://u:secret@db:5432/d")
    error = sa.exc.OperationalError("SELECT 1", {}, Exception(text))
    with pytest.raises(StorageError, match=meaning):
        raise StorageError(explain(error, url))


def test_a_new_file_is_made_with_its_folder_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "var" / "attune.db"
    Database(sqlite_url(path)).migrate()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_not_there_yet_is_reported_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "attune.db"
    with pytest.raises(StorageError, match=r"no database at .* yet"):
        Database(sqlite_url(path)).check()
    assert not path.exists()


def test_a_folder_that_can_not_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(sqlite_url(tmp_path / "file" / "attune.db"))
    for use in (database.check, database.migrate):
        with pytest.raises(StorageError, match="can't write the database"):
            use()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(StorageError, match="not writable"):
        Database(sqlite_url(folder / "attune.db")).check()


def test_a_file_of_another_kind_is_reported_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes. " * 100)
    before = path.read_bytes()
    database = Database(sqlite_url(path))
    for use in (database.check, database.migrate):
        with pytest.raises(StorageError, match="is not a SQLite database"):
            use()
    assert path.read_bytes() == before


def test_a_read_only_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "attune.db"
    Database(sqlite_url(path)).migrate()
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StorageError, match="is read-only"):
        database.check()


def test_a_locked_database_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.database.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "attune.db"
    database = Database(sqlite_url(path))
    database.migrate()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked by another program"):
        database.check()
    other.close()


def test_the_embedded_file_is_set_up_for_readers_beside_a_writer(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "attune.db"))
    database.migrate()
    with database.engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}


def test_what_is_read_in_an_exclusive_session_holds_until_it_is_written(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "attune.db"))
    database.migrate()
    with database.session() as session:
        turns.arrive(session, "s", "web", "hi", "m", "en", 0.0)

    def count_up() -> None:
        for _ in range(20):
            with database.session(exclusive=True) as session:
                found = conversations.find(session, "s", lock=True)
                assert found is not None
                conversations.touch(session, found.id, found.last_turn_at + 1.0)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as session:
        found = conversations.find(session, "s")
    assert found is not None
    assert found.last_turn_at == 80.0


def test_errors_do_not_quote_what_a_person_wrote(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "attune.db"))
    database.migrate()
    with (
        pytest.raises((StorageError, sa.exc.SQLAlchemyError)) as caught,
        database.session(exclusive=True) as session,
    ):
        session.execute(sa.text("INSERT INTO turns (text) VALUES (:text)"), {"text": "my secret words"})
    chain: list[BaseException | None] = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert all("secret" not in str(error) for error in chain)


def test_a_forked_process_gets_connections_of_its_own(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "attune.db"))
    database.migrate()
    parents = database.engine
    child = os.fork()
    if child == 0:
        os._exit(0 if database.engine is not parents else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert database.engine is parents


@pytest.mark.parametrize(
    ("given", "kept"),
    [("plain", "plain"), ("汉字", "汉字"), ("a\x00", "a�"), ("\udcff", "�"), ("\ud83d\ude00", "😀")],
)
def test_text_is_made_storable(given: str, kept: str) -> None:
    assert storable_text(given) == kept


def test_json_is_made_storable() -> None:
    import numpy as np

    given = {
        "n": float("nan"),
        "i": -float("inf"),
        3: ("a\x00",),
        "f": np.float32(0.5),
        "o": Path("x"),
        "b": True,
    }
    assert storable_json(given) == {"n": None, "i": None, "3": ["a�"], "f": 0.5, "o": "x", "b": True}
