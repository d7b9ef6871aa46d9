"""Ann sends files, good and bad: what is kept of them, what is refused, and what is tidied away. On both databases."""

import asyncio
import io
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from sqlalchemy import func, select
from starlette.requests import ClientDisconnect

from chat.db import Database, table_of
from chat.files import checking, shares, uploads
from chat.files.attachments import claim_files
from chat.files.downloads import SentFile
from chat.files.errors import (
    DiskLow,
    Empty,
    FileRefused,
    ImageBroken,
    ImageTooLarge,
    Infected,
    NameDeceives,
    NoSuchFile,
    NotChecked,
    OutOfStep,
    QuotaReached,
    TooLarge,
    TooManyAtOnce,
    TooManyFiles,
    TypeNotAllowed,
)
from chat.files.limits import UNDER_WAY
from chat.files.models import CHECKING, READY, RECEIVING, File, FileContent
from chat.files.shares import Owner
from chat.files.storage import DiskStorage
from chat.files.tidying import Tidying
from chat.files.uploads import Upload
from tests.support import files
from tests.support.clock import FakeClock
from tests.support.files import Sender, sender

MB = 1_048_576


async def stored(db: Database, folder: Path, upload: Upload, *, small: bool = False) -> bytes:
    async with db.read() as session:
        row = await session.get_one(File, upload.id)
    sha256 = row.small if small else row.content
    assert sha256 is not None
    with DiskStorage(folder).open(sha256) as file:
        return file.read()


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def count(db: Database, table: type[File] | type[FileContent]) -> int:
    async with db.read() as session:
        return int((await session.execute(select(func.count()).select_from(table_of(table)))).scalar_one())


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (files.SVG, "logo.svg", TypeNotAllowed),
        (files.SVG, "logo.png", TypeNotAllowed),
        (files.HTML, "page.txt", TypeNotAllowed),
        (files.EXE, "invoice.exe", TypeNotAllowed),
        (files.PDF, "holiday.png", NameDeceives),
        (b"GIF89a" + b"x" * 200, "broken.gif", ImageBroken),
        (files.image("JPEG")[:200], "half.jpg", ImageBroken),
        (files.bomb(), "bomb.png", ImageTooLarge),
        (b"words" * 5000 + b"\x00", "late.txt", TypeNotAllowed),
        (b"", "nothing.txt", Empty),
    ],
)
async def test_a_bad_file_is_refused_with_its_reason_and_nothing_is_kept(
    db: Database, clock: FakeClock, tmp_path: Path, data: bytes, name: str, why: type[FileRefused]
) -> None:
    async with sender(db, clock, tmp_path) as ann:
        with pytest.raises(FileRefused) as refused:
            await ann.send(data, name)
        assert type(refused.value) is why
    assert not all_files(tmp_path)


async def test_an_image_is_made_anew_without_what_hung_on_it(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    async with sender(db, clock, tmp_path) as ann:
        photo = await ann.send(files.photo_with_place(), "photo.png")
        gif = await ann.send(files.polyglot(), "smile.gif")
    assert (photo.state, photo.name, photo.media_type) == (READY, "photo.jpg", "image/jpeg")
    assert (photo.width, photo.height) == (40, 60)
    kept = await stored(db, tmp_path, photo)
    assert b"planted-word" not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert not image.getexif()
    kept = await stored(db, tmp_path, gif)
    assert b"script" not in kept
    assert b"planted-word" not in kept
    with Image.open(io.BytesIO(await stored(db, tmp_path, gif, small=True))) as small:
        assert small.format == "WEBP"


async def test_a_gif_goes_on_moving(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    made = io.BytesIO()
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=0)
    async with sender(db, clock, tmp_path) as ann:
        upload = await ann.send(made.getvalue(), "steps.gif")
    with Image.open(io.BytesIO(await stored(db, tmp_path, upload))) as image:
        assert getattr(image, "n_frames", 1) == 3


async def test_other_files_are_kept_as_they_are_once(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    async with sender(db, clock, tmp_path) as ann:
        first = await ann.send(files.PDF, "a.pdf")
        second = await ann.send(files.PDF, "b.pdf")
        log = await ann.send(files.LOG, "syslog")
    assert first.id != second.id
    assert log.name == "syslog.txt"
    assert await stored(db, tmp_path, first) == await stored(db, tmp_path, second) == files.PDF
    assert await count(db, FileContent) == 2
    assert [path.stat().st_mode & 0o777 for path in all_files(tmp_path / "files")] == [0o600, 0o600]


async def test_a_file_in_parts_goes_on_where_it_stopped_and_is_one(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async with sender(db, clock, tmp_path) as ann:
        begun = await ann.uploads.begin(ann.owner, "ref-00000001", "big.log", len(files.LOG))
        part = await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG[:300]))
        assert (part.state, part.received) == (RECEIVING, 300)
        again = await ann.uploads.begin(ann.owner, "ref-00000001", "big.log", len(files.LOG))
        assert (again.id, again.received) == (begun.id, 300)
        with pytest.raises(OutOfStep) as out:
            await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG))
        assert out.value.received == 300
        with pytest.raises(TooLarge):
            await ann.uploads.receive(ann.owner, begun.id, 300, files.pieces(files.LOG))
        done = await ann.uploads.receive(ann.owner, begun.id, 300, files.pieces(files.LOG[300:]))
        assert done.state == READY
        late = await ann.uploads.receive(ann.owner, begun.id, 300, files.pieces(files.LOG[300:]))
        assert late.state == READY
    assert await stored(db, tmp_path, done) == files.LOG
    assert await count(db, File) == 1


async def test_two_connections_of_one_upload_do_not_mix(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    async with sender(db, clock, tmp_path) as ann:
        begun = await asyncio.gather(
            *(ann.uploads.begin(ann.owner, "ref-00000001", "big.log", len(files.LOG)) for _ in range(4))
        )
        assert len({one.id for one in begun}) == 1
        ended = await asyncio.gather(
            *(ann.uploads.receive(ann.owner, begun[0].id, 0, files.pieces(files.LOG)) for _ in range(4)),
            return_exceptions=True,
        )
        assert all(isinstance(one, Upload | OutOfStep) for one in ended)
        done = await ann.send(files.LOG, "big.log", "ref-00000001")
    assert await stored(db, tmp_path, done) == files.LOG


async def test_mallory_finds_no_upload_of_ann(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    async with sender(db, clock, tmp_path) as ann:
        upload = await ann.send(files.LOG, "a.log", "ref-00000001")
        mallory = Sender(ann.uploads, Owner("visitor", uuid4(), 10**9))
        for attempt in (
            mallory.uploads.look(mallory.owner, upload.id),
            mallory.uploads.cancel(mallory.owner, upload.id),
            mallory.uploads.receive(mallory.owner, upload.id, 0, files.pieces(b"x")),
            mallory.uploads.look(mallory.owner, uuid4()),
        ):
            with pytest.raises(NoSuchFile):
                await attempt
        async with db.write() as session:
            with pytest.raises(NoSuchFile):
                await claim_files(session, mallory.owner.key, [str(upload.id)], "conversation:x")
            attached = await claim_files(session, ann.owner.key, [str(upload.id)] * 2, "conversation:x")
        assert [one["name"] for one in attached] == ["a.log"]
        async with db.write() as session:
            with pytest.raises(TooManyFiles):
                await claim_files(session, ann.owner.key, [str(uuid4()) for _ in range(11)], "conversation:x")
        assert (await mallory.send(files.LOG, "a.log", "ref-00000001")).id != upload.id


async def test_a_day_has_a_limit_and_the_next_one_another(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    async with sender(db, clock, tmp_path, daily=2 * len(files.LOG)) as ann:
        await ann.send(files.LOG, "a.log")
        await ann.send(files.LOG, "b.log")
        with pytest.raises(QuotaReached):
            await ann.send(files.LOG, "c.log")
        clock.advance(25 * 3600)
        await ann.send(files.LOG, "c.log")
        with pytest.raises(TooLarge):
            await ann.uploads.begin(ann.owner, "ref-00000001", "a.log", 26_214_401)


async def test_who_begins_very_many_waits_and_what_was_given_up_does_not_count(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async with sender(db, clock, tmp_path) as ann:
        for number in range(UNDER_WAY):
            await ann.uploads.begin(ann.owner, f"ref-{number:08}", "a.log", 10)
        with pytest.raises(TooManyAtOnce):
            await ann.uploads.begin(ann.owner, "ref-one-more", "a.log", 10)
        clock.advance(601)
        await ann.uploads.begin(ann.owner, "ref-one-more", "a.log", 10)


async def test_what_was_only_announced_counts_while_it_moves_and_what_came_counts_whatever_became_of_it(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    size = len(files.LOG)
    async with sender(db, clock, tmp_path, daily=2 * size) as ann:
        with pytest.raises(FileRefused):
            await ann.send(files.LOG[:-1] + b"\x00", "refused.log")
        begun = await ann.uploads.begin(ann.owner, "ref-00000001", "a.log", size)
        with pytest.raises(QuotaReached):
            await ann.uploads.begin(ann.owner, "ref-00000002", "b.log", 1)
        clock.advance(601)
        half = await ann.uploads.begin(ann.owner, "ref-00000003", "c.log", size)
        with pytest.raises(QuotaReached):  # others have its place meanwhile
            await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG))
        await ann.uploads.receive(ann.owner, half.id, 0, files.pieces(files.LOG[:400]))
        await ann.uploads.cancel(ann.owner, half.id)
        with pytest.raises(QuotaReached):
            await ann.uploads.begin(ann.owner, "ref-00000004", "d.log", size - 399)
        assert (await ann.uploads.begin(ann.owner, "ref-00000004", "d.log", size - 400)).state == RECEIVING


async def test_who_begins_many_at_once_gets_no_more_than_a_share(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async with sender(db, clock, tmp_path, daily=2 * len(files.LOG)) as ann:
        begun = await asyncio.gather(
            *(ann.uploads.begin(ann.owner, f"ref-{number:08}", "a.log", len(files.LOG)) for number in range(8)),
            return_exceptions=True,
        )
    assert sorted(type(one).__name__ for one in begun) == ["QuotaReached"] * 6 + ["Upload"] * 2


async def test_who_begins_and_takes_back_all_the_time_waits(
    db: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "TRIES_PER_HOUR", 2)
    async with sender(db, clock, tmp_path) as ann:
        for number in range(2):
            begun = await ann.uploads.begin(ann.owner, f"ref-{number:08}", "a.log", 10)
            await ann.uploads.cancel(ann.owner, begun.id)
        with pytest.raises(TooManyAtOnce):
            await ann.uploads.begin(ann.owner, "ref-one-more", "a.log", 10)


async def test_files_of_one_sender_are_checked_one_at_a_time_and_decoders_are_told_no_secret(
    db: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, told = 0, 0, []
    run = checking._run

    async def counted(command: tuple[str, ...], seconds: float, environment: dict[str, str]) -> tuple[int, bytes]:
        nonlocal running, most
        told.append(environment)
        running += 1
        most = max(most, running)
        try:
            return await run(command, seconds, environment)
        finally:
            running -= 1

    monkeypatch.setattr(checking, "_run", counted)
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", "planted-word")
    async with sender(db, clock, tmp_path) as ann:
        sent = await asyncio.gather(*(ann.send(files.image(colour=one), "a.png") for one in ("red", "green")))
    assert [one.state for one in sent] == [READY, READY]
    assert most == 1
    assert "planted-word" not in str(told)


async def test_a_full_disk_takes_no_file(
    db: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sender(db, clock, tmp_path) as ann:
        usage = (100_000 * MB, 97_000 * MB, 3_000 * MB)
        monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(*usage))
        with pytest.raises(DiskLow):
            await ann.send(files.LOG, "a.log")
    assert not all_files(tmp_path)


class _Usage:
    def __init__(self, total: int, used: int, free: int) -> None:
        self.total, self.used, self.free = total, used, free


async def test_a_scanner_is_asked_and_one_that_fails_is_asked_again(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    verdict = tmp_path / "verdict"
    scan = tmp_path / "scan.py"
    scan.write_text(
        "import sys, pathlib\n"
        f"verdict = pathlib.Path({str(verdict)!r})\n"
        "assert pathlib.Path(sys.argv[1]).read_bytes()\n"
        "sys.exit(int(verdict.read_text()))\n"
    )
    data = tmp_path / "data"
    async with sender(db, clock, data, scan=f"{sys.executable} {scan}") as ann:
        verdict.write_text("1")
        with pytest.raises(Infected):
            await ann.send(files.LOG, "a.log")
        verdict.write_text("2")
        with pytest.raises(NotChecked):
            await ann.send(files.LOG, "b.log", "ref-00000002")
        verdict.write_text("0")
        again = await ann.uploads.begin(ann.owner, "ref-00000002", "b.log", len(files.LOG))
        assert again.state == READY
    assert len(all_files(data)) == 1


async def test_a_check_whose_process_died_is_done_again(
    db: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = asyncio.Event()

    async def hang(*_: object) -> None:
        hangs.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(uploads, "STOP_SECONDS", 0.01)
    async with sender(db, clock, tmp_path) as ann:
        with monkeypatch.context() as patch:
            patch.setattr(checking.Checks, "check", hang)
            begun = await ann.uploads.begin(ann.owner, "ref-00000001", "a.log", len(files.LOG))
            held = await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG))
            assert held.state == CHECKING
            await hangs.wait()
        await ann.uploads.stop()
        assert (await ann.uploads.look(ann.owner, begun.id)).state == CHECKING
        clock.advance(151)
        assert (await ann.uploads.look(ann.owner, begun.id)).state == READY


async def test_a_file_is_closed_though_its_reader_left_before_the_first_piece(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(files.LOG)
    file = (tmp_path / "a.log").open("rb")

    async def gone(message: Any) -> None:
        raise ConnectionError

    async def says() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await SentFile(file, {}, "text/plain")({"type": "http", "asgi": {"spec_version": "2.4"}}, says, gone)
    assert file.closed


async def test_what_nobody_sent_along_is_tidied_away_and_the_rest_stays(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    tidying = Tidying(db, clock, DiskStorage(tmp_path))
    async with sender(db, clock, tmp_path) as ann:
        kept = await ann.send(files.PDF, "kept.pdf")
        twin = await ann.send(files.PDF, "twin.pdf")
        await ann.send(files.image(), "unused.png")
        begun = await ann.uploads.begin(ann.owner, "ref-00000001", "a.log", len(files.LOG))
        await ann.uploads.receive(ann.owner, begun.id, 0, files.pieces(files.LOG[:300]))
        async with db.write() as session:
            await claim_files(session, ann.owner.key, [str(kept.id)], "conversation:x")
        assert await tidying.clean() == 0
        clock.advance(25 * 3600)
        assert await tidying.clean() == 3
        assert await stored(db, tmp_path, kept) == files.PDF
        assert all_files(tmp_path) == all_files(tmp_path / "files")
        assert await count(db, File) == await count(db, FileContent) == 1
        with pytest.raises(NoSuchFile):
            await ann.uploads.look(ann.owner, twin.id)
        # The same again, after its bytes were forgotten.
        again = await ann.send(files.image(), "used.png")
        assert await stored(db, tmp_path, again)


async def test_tidying_beside_who_sends_the_same_content_loses_nothing(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    tidying = Tidying(db, clock, DiskStorage(tmp_path))
    async with sender(db, clock, tmp_path) as ann:
        for _ in range(5):
            await ann.send(files.PDF, "old.pdf")
            clock.advance(25 * 3600)
            sent, _ = await asyncio.gather(ann.send(files.PDF, "new.pdf"), tidying.clean())
            assert await stored(db, tmp_path, sent) == files.PDF
