"""Copies of a desk on both databases: bad cases first, then a copy made while people talk, restored and compared."""

import asyncio
import gzip
import json
import os
import resource
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from sqlalchemy import create_engine, select, text

from chat.clock import SystemClock
from chat.conversations import store
from chat.conversations.entry import Author
from chat.db import Database
from chat.files.models import File
from chat.files.storage import DiskStorage
from chat.ids import new_id
from chat.migrations import schema
from chat.operations import copies
from chat.operations.archive import CopyRefused, Manifest, manifest_of
from chat.operations.copies import back_up, drill, restore
from chat.people.models import Site
from chat.program import migrate_now
from chat.settings import Settings, load_settings
from tests.support import files, nightdesk
from tests.support.clock import FakeClock
from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.files import sender
from tests.support.nightdesk import NIGHTDESK
from tests.support.parts import running

SECRET = "a key for tests only, thirty-two characters"
SAID = "zasajeno sporočilo \t s tabulatorjem, \\ in \n vrstico"


def settings_of(folder: Path, url: str | None) -> Settings:
    folder.mkdir(exist_ok=True)
    return load_settings({}, data_dir=folder, database_url=url, secret_key=SECRET)


async def said_something(url: str, conversations: int = 3) -> None:
    db = Database(url)
    async with running(db, SystemClock()) as parts:
        site, _ = await parts.furnish()
        for number in range(conversations):
            found = await parts.conversation(site, f"{SAID} {number}")
            author = Author("visitor", found.visitor_id, "Ann")
            for _ in range(number + 1):
                await parts.conversations.say(found.id, author, SAID, f"ref-{new_id()}")
            await parts.conversations.note(found.id, Author("system", None, ""), SAID, f"ref-{new_id()}")
    await db.close()


@pytest.fixture
async def desk(tmp_path: Path, database_url: str) -> Settings:
    """A desk with three conversations, a key and an upload in its folder."""
    settings = settings_of(tmp_path / "desk", database_url)
    (settings.data_dir / "secret-key").write_text("s" * 40)
    (settings.data_dir / "secret-key").chmod(0o600)
    (settings.data_dir / "uploads" / "a").mkdir(parents=True)
    (settings.data_dir / "uploads" / "a" / "slika.png").write_bytes(b"\x89PNG" * 1000)
    await said_something(database_url)
    return settings


@pytest.fixture
def elsewhere(tmp_path: Path, database_maker: SqliteMaker | PostgresMaker) -> Settings:
    """An empty place of the same kind."""
    url = database_maker.make(empty=True)
    return settings_of(tmp_path / "elsewhere", url)


@pytest.fixture
def copy(desk: Settings, tmp_path: Path) -> Path:
    return back_up(desk, tmp_path / "copy.tar.gz")[0]


def leftovers(*folders: Path) -> list[str]:
    return [
        path.name for folder in folders for path in folder.iterdir() if path.name.startswith((".nightdesk", "copy."))
    ]


def rewritten(source: Path, target: Path, change: Callable[[Manifest], Manifest], **contents: bytes) -> Path:
    """The same archive with another manifest, or other contents of its members."""
    manifest = change(manifest_of(source))
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            body = file.read()
            if member.name == "manifest.json":
                body = msgspec.json.encode(manifest)
            body = contents.get(Path(member.name).stem, body)
            member.size = len(body)
            new.addfile(member, BytesIO(body))
    return target


def as_it_is(manifest: Manifest) -> Manifest:
    return manifest


# ── what must be refused ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_that_is_cut_short_is_refused_and_changes_nothing(
    copy: Path, elsewhere: Settings, tmp_path: Path
) -> None:
    whole = copy.read_bytes()
    short = tmp_path / "short.tar.gz"
    for length in (0, 1, 100, len(whole) // 3, len(whole) - 200, len(whole) - 1):
        short.write_bytes(whole[:length])
        for use in (restore, drill):
            with pytest.raises(CopyRefused, match=r"cut short|no copy of Nightdesk"):
                use(elsewhere, short)
    assert list(elsewhere.data_dir.iterdir()) == []
    restore(elsewhere, copy)


def test_what_is_no_copy_is_refused(elsewhere: Settings, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not this")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("holiday.jpg"))
    for name in ("text", "other.tar.gz", "missing"):
        with pytest.raises(CopyRefused, match=r"no copy|no file"):
            restore(elsewhere, tmp_path / name)


def test_a_changed_member_is_found_by_its_hash(copy: Path, elsewhere: Settings, tmp_path: Path) -> None:
    changed = rewritten(copy, tmp_path / "changed.tar.gz", as_it_is, positions=b"0" * 32 + b"\t1\t0\n")
    with pytest.raises(CopyRefused, match=r"positions\.tsv is not what was copied"):
        drill(elsewhere, changed)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "files/../../outside", "elsewhere/x"])
def test_a_copy_that_wants_to_write_elsewhere_is_refused(
    copy: Path, elsewhere: Settings, tmp_path: Path, name: str
) -> None:
    def change(manifest: Manifest) -> Manifest:
        first = msgspec.structs.replace(manifest.members[0], name=name)
        return msgspec.structs.replace(manifest, members=[first])

    with pytest.raises(CopyRefused, match="no copy of Nightdesk"):
        restore(elsewhere, rewritten(copy, tmp_path / "evil.tar.gz", change))
    assert not (tmp_path / "outside").exists()


def test_a_copy_of_a_newer_version_names_the_version_that_can(copy: Path, elsewhere: Settings, tmp_path: Path) -> None:
    def newer(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, schema="9999", version="9.9.9")

    def newest(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, format=2, version="9.9.9")

    for change in (newer, newest):
        with pytest.raises(CopyRefused, match=r"9\.9\.9"):
            restore(elsewhere, rewritten(copy, tmp_path / "newer.tar.gz", change))


def test_nothing_is_restored_over_something(
    copy: Path, desk: Settings, elsewhere: Settings, database_maker: SqliteMaker | PostgresMaker
) -> None:
    with pytest.raises(CopyRefused, match="empty"):
        restore(desk, copy)
    (elsewhere.data_dir / "secret-key").write_text("mine")
    with pytest.raises(CopyRefused, match=r"secret-key is there already"):
        restore(elsewhere, copy)
    assert (elsewhere.data_dir / "secret-key").read_text() == "mine"


def test_a_copy_is_never_written_over_another_file(copy: Path, desk: Settings) -> None:
    before = copy.read_bytes()
    with pytest.raises(CopyRefused, match="not overwritten"):
        back_up(desk, copy)
    assert copy.read_bytes() == before
    with pytest.raises(CopyRefused, match="no folder"):
        back_up(desk, copy.parent / "missing" / "copy.tar.gz")


def test_an_empty_database_and_one_that_is_away_are_refused_in_words(elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(CopyRefused, match=r"no database|empty"):
        back_up(elsewhere, tmp_path / "copy.tar.gz")
    away = load_settings({}, data_dir=tmp_path, database_url="postgresql://x:hidden@127.0.0.1:1/z", secret_key=SECRET)
    with pytest.raises(CopyRefused, match="NIGHTDESK_DATABASE_URL") as refused:
        back_up(away, tmp_path / "copy.tar.gz")
    assert "hidden" not in str(refused.value)
    assert leftovers(tmp_path) == []


async def test_a_copy_of_sqlite_is_not_restored_into_postgresql(
    tmp_path: Path, sqlite_maker: SqliteMaker, postgres_maker: PostgresMaker
) -> None:
    one = settings_of(tmp_path / "one", sqlite_maker.make())
    other = settings_of(tmp_path / "other", postgres_maker.make(empty=True))
    made, _ = back_up(one, tmp_path)
    with pytest.raises(CopyRefused, match="SQLite and NIGHTDESK_DATABASE_URL names PostgreSQL"):
        restore(other, made)


def spoil(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    body = bytearray(path.read_bytes())
    for place in range(4096 * 3, len(body), 4096):
        body[place : place + 64] = b"\xff" * 64
    path.write_bytes(bytes(body))


async def test_a_damaged_sqlite_database_is_not_copied(tmp_path: Path, sqlite_maker: SqliteMaker) -> None:
    url = sqlite_maker.make()
    await said_something(url, 30)
    spoil(Path(url.removeprefix("sqlite:///")))
    settings = settings_of(tmp_path / "desk", url)
    with pytest.raises(CopyRefused, match=r"damaged|SQLite refused"):
        back_up(settings, tmp_path / "copy.tar.gz")
    assert leftovers(tmp_path) == []


def test_with_a_full_disk_nothing_is_kept(desk: Settings, tmp_path: Path) -> None:
    """The limit of a file's size stands for the full disk: the same write fails, with a neighbouring number."""
    place = tmp_path / "small"
    place.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    done = subprocess.run(
        [NIGHTDESK, "backup", str(place / "copy.tar.gz")],
        env=environment
        | {
            "NIGHTDESK_DATA_DIR": str(desk.data_dir),
            "NIGHTDESK_DATABASE_URL": desk.database_url or "",
            "NIGHTDESK_SECRET_KEY": SECRET,
        },
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(place.iterdir()) == []


def test_a_place_that_cannot_be_written_or_read_is_named(desk: Settings, tmp_path: Path) -> None:
    with pytest.raises(CopyRefused, match=r"^/proc/.*Nothing was kept\.$"):
        back_up(desk, Path("/proc/copy.tar.gz"))
    for use in (restore, drill):
        with pytest.raises(CopyRefused, match="cannot be read"):
            use(desk, tmp_path)


@pytest.mark.parametrize("name", ["", ".", "files", "database", "files/a\0b"])
def test_a_copy_with_names_that_are_none_is_refused(copy: Path, elsewhere: Settings, tmp_path: Path, name: str) -> None:
    def change(manifest: Manifest) -> Manifest:
        first = msgspec.structs.replace(manifest.members[0], name=name)
        return msgspec.structs.replace(manifest, members=[first, *manifest.members[1:]])

    with pytest.raises(CopyRefused, match="wants to write to"):
        restore(elsewhere, rewritten(copy, tmp_path / "odd.tar.gz", change))


@pytest.mark.parametrize("name", ["nightdesk.sqlite3", "secret-key"])
def test_a_desk_that_is_started_while_its_place_is_filled_keeps_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = settings_of(tmp_path / "desk", None)
    (settings.data_dir / "secret-key").write_text("s" * 40)
    asyncio.run(migrate_now(settings))
    made, _ = back_up(settings, tmp_path / "copy.tar.gz")
    place = settings_of(tmp_path / "elsewhere", None)

    def started(*arguments: Any) -> None:
        (place.data_dir / name).write_text("mine")

    # After it was looked at, and before files and database are in their places.
    monkeypatch.setattr(copies, "_require_room" if name == "secret-key" else "require_same", lambda *_, **__: started())
    with pytest.raises(CopyRefused, match=name):
        restore(place, made)
    assert [path.name for path in place.data_dir.iterdir()] == [name]
    assert (place.data_dir / name).read_text() == "mine"


def test_told_to_end_it_leaves_nothing_behind(tmp_path: Path, postgres_maker: PostgresMaker) -> None:
    """It waits for a table then, with half of a copy on the disk."""
    url = postgres_maker.make()
    place = tmp_path / "place"
    place.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    own = {"NIGHTDESK_DATA_DIR": str(tmp_path), "NIGHTDESK_DATABASE_URL": url, "NIGHTDESK_SECRET_KEY": SECRET}
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as looker:
        holder.execute("LOCK TABLE visitor IN ACCESS EXCLUSIVE MODE")
        command = [NIGHTDESK, "backup", str(place)]
        with subprocess.Popen(command, env=environment | own, stderr=subprocess.PIPE, text=True) as backing_up:
            while looker.execute(waiting).fetchone() == (0,):
                assert backing_up.poll() is None
            assert len(leftovers(place)) == 1
            backing_up.terminate()
            _, said = backing_up.communicate()
    assert backing_up.returncode == 130
    assert "Traceback" not in said
    assert list(place.iterdir()) == []


# ── what must work ───────────────────────────────────────────────────────────────────────────────────────────────────


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, read without the product."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            names = (
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                if url.startswith("sqlite")
                else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            tables = sorted(connection.execute(text(names)).scalars())
            return {
                table: sorted(tuple(map(str, row)) for row in connection.execute(text(f'SELECT * FROM "{table}"')))  # noqa: S608
                for table in tables
            }
    finally:
        engine.dispose()


def test_what_is_restored_is_what_was_copied(copy: Path, desk: Settings, elsewhere: Settings) -> None:
    assert copy.stat().st_mode & 0o777 == 0o600
    manifest = drill(elsewhere, copy)
    assert (manifest.conversations, manifest.database) == (3, "postgresql" if desk.is_postgresql else "sqlite")
    assert list(elsewhere.data_dir.iterdir()) == []
    restore(elsewhere, copy)
    assert desk.database_url is not None
    assert elsewhere.database_url is not None
    assert everything(elsewhere.database_url) == everything(desk.database_url)
    key = elsewhere.data_dir / "secret-key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("s" * 40, 0o600)
    assert (elsewhere.data_dir / "uploads/a/slika.png").read_bytes() == b"\x89PNG" * 1000
    assert leftovers(desk.data_dir, elsewhere.data_dir) == []


async def test_a_file_that_somebody_sent_is_in_the_copy_and_what_is_on_its_way_is_not(
    desk: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    db, clock = Database(desk.effective_database_url), FakeClock()
    async with sender(db, clock, desk.data_dir) as ann:
        sent = await ann.send(files.PDF, "invoice.pdf")
        begun = await ann.uploads.begin(ann.owner, "ref-00000001", "a.log", len(files.LOG))
        await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG[:300]))
    await db.close()
    made, _ = await asyncio.to_thread(back_up, desk, tmp_path / "with-files.tar.gz")
    assert not [member.name for member in manifest_of(made).members if ".nightdesk" in member.name]
    await asyncio.to_thread(restore, elsewhere, made)
    db = Database(elsewhere.effective_database_url)
    async with db.read() as session:
        row = await session.get_one(File, sent.id)
    assert row.content is not None
    with DiskStorage(elsewhere.data_dir).open(row.content) as file:
        assert file.read() == files.PDF
    async with sender(db, clock, elsewhere.data_dir, person=ann.owner.id) as again:
        assert (await again.uploads.look(again.owner, begun.id)).received == 0
    await db.close()


async def test_a_restored_desk_goes_on_where_the_copy_stood(copy: Path, elsewhere: Settings) -> None:
    restore(elsewhere, copy)
    db = Database(elsewhere.effective_database_url)
    async with running(db, SystemClock()) as parts:
        async with db.read() as session:
            rows = await session.execute(text("SELECT id FROM conversation ORDER BY id LIMIT 1"))
            conversation_id = UUID(str(rows.scalar_one()))
            before = await store.conversation(session, conversation_id)
        assert before is not None
        entry = await parts.conversations.say(
            conversation_id, Author("visitor", before.visitor_id, ""), "On", "ref-on-1"
        )
        assert entry.seq == before.last_seq + 1
    await db.close()


async def test_a_copy_that_is_made_while_people_talk_is_of_one_moment(
    desk: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    db = Database(desk.effective_database_url)
    async with running(db, SystemClock()) as parts:
        async with db.read() as session:
            site = (await session.execute(select(Site).limit(1))).scalar_one()
        talking = asyncio.Event()
        stop = False

        async def talk() -> None:
            found = await parts.conversation(site, "hello")
            number = 0
            while not stop:
                await parts.conversations.say(
                    found.id, Author("visitor", found.visitor_id, ""), SAID, f"ref-{found.id}-{number}"
                )
                number += 1
                talking.set()

        talks = [asyncio.create_task(talk()) for _ in range(4)]
        made: list[Path] = []
        for number in range(3):
            talking.clear()
            await talking.wait()  # so that each copy has more to hold than the one before
            made.append((await asyncio.to_thread(back_up, desk, tmp_path / f"{number}.tar.gz"))[0])
        stop = True
        await asyncio.gather(*talks)
    await db.close()
    counts = [(await asyncio.to_thread(drill, elsewhere, one)).rows for one in made]
    assert counts[0] < counts[1] < counts[2]


def test_copies_do_not_hold_each_other_nor_another_desk(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "desk", None)
    asyncio.run(migrate_now(settings))
    asyncio.run(migrate_now(settings_of(settings.data_dir / "demo", None)))
    (settings.data_dir / "copies").mkdir()
    (settings.data_dir / "slika.tar.gz").write_bytes(b"an upload")
    for number in range(3):
        back_up(settings, settings.data_dir / "copies" / f"{number}.tar.gz")
    made, manifest = back_up(settings, settings.data_dir)
    made.with_name("half.tar.gz.partial").write_bytes(made.read_bytes()[:-100])
    assert [member.name for member in manifest.members if member.name.startswith("files/")] == [
        f"files/copies/{number}.tar.gz" for number in range(3)
    ] + ["files/slika.tar.gz"]
    _, manifest = back_up(settings, settings.data_dir / "copies")
    assert [member.name for member in manifest.members if member.name.startswith("files/")] == [
        "files/half.tar.gz.partial",
        "files/slika.tar.gz",
    ]
    _, manifest = back_up(settings, settings.data_dir / "next.tar.gz")
    names = [member.name for member in manifest.members]
    assert "files/half.tar.gz.partial" not in names
    assert "files/slika.tar.gz" in names


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("DELETE FROM message WHERE stream = 'public' AND seq = 2", "in its public stream, has"),
        ("UPDATE conversation SET last_note_seq = 9", "in its internal stream"),
        ("UPDATE message SET seq = seq + 1 WHERE stream = 'internal'", "in its internal stream"),
    ],
)
async def test_a_drill_finds_a_hole_that_was_copied(
    desk: Settings, elsewhere: Settings, tmp_path: Path, damage: str, word: str
) -> None:
    db = Database(desk.effective_database_url)
    async with db.write() as session:
        await session.execute(text(damage))
    await db.close()
    made, _ = back_up(desk, tmp_path / "copy.tar.gz")
    with pytest.raises(CopyRefused, match=word):
        drill(elsewhere, made)
    with pytest.raises(CopyRefused, match=word):
        restore(elsewhere, made)
    assert list(elsewhere.data_dir.iterdir()) == []


def test_a_copy_of_an_older_schema_comes_to_head(
    tmp_path: Path, database_maker: SqliteMaker | PostgresMaker, elsewhere: Settings
) -> None:
    url = database_maker.make(empty=True)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        schema.upgrade(connection, "0001")
    engine.dispose()
    made, manifest = back_up(settings_of(tmp_path / "old", url), tmp_path / "copy.tar.gz")
    assert manifest.schema == "0001"
    restore(elsewhere, made)

    async def standing() -> tuple[str | None, str | None]:
        db = Database(elsewhere.effective_database_url)
        try:
            return await schema.standing(db)
        finally:
            await db.close()

    current, head = asyncio.run(standing())
    assert current == head != "0001"


def test_the_commands_say_it_for_people_and_machines(desk: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}

    def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {
            "NIGHTDESK_DATA_DIR": str(settings.data_dir),
            "NIGHTDESK_DATABASE_URL": settings.database_url or "",
            "NIGHTDESK_SECRET_KEY": SECRET,
        }
        return nightdesk.run(arguments, environment | own)

    made = run(desk, "backup", str(tmp_path), "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert said["conversations"] == 3
    proved = run(elsewhere, "restore", said["file"], "--drill")
    assert (proved.returncode, proved.stderr) == (0, "")
    assert "The copy is good: 3 conversations" in proved.stdout
    assert run(elsewhere, "restore", said["file"]).stdout.startswith("Restored: 3 conversations")
    again = run(elsewhere, "restore", said["file"], "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["good"] is False
    assert "empty" in again.stderr
    with gzip.open(said["file"]) as file:
        assert SECRET.encode() not in file.read()
