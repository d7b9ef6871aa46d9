"""What a file is by its bytes, and what becomes of its name."""

import pytest

from chat.files.errors import NameDeceives, TypeNotAllowed
from chat.files.kinds import kind_of
from chat.files.names import label, with_ending
from tests.support import files


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (files.SVG, "logo.svg"),
        (files.SVG, "logo.txt"),
        (files.SVG, "logo"),
        (files.HTML, "page.html"),
        (files.HTML, "page.txt"),
        (b"\xef\xbb\xbf  \n<!-- hello --> <HTML>", "notes.txt"),
        (b"<?xml version='1.0'?><x/>", "data.txt"),
        (files.EXE, "invoice.exe"),
        (files.EXE, "invoice.txt"),
        (b"#!/bin/sh\nrm -rf /\n", "run.log"),
        (b"words\x00more", "notes.txt"),
        (files.HTML.decode().encode("utf-16"), "page.txt"),
        ("\ufeff<script>".encode("utf-16-be"), "page.log"),
        ("MZ\x90".encode("utf-16"), "setup.log"),
        ("a\x00b".encode("utf-16"), "notes.txt"),
        (b"\xff\xfe\x00\xdc\x00\xdc", "half-a-pair.txt"),
        ("no mark".encode("utf-16-le"), "notes.txt"),
        (b"echo off", "run.bat"),
        (b"alert(1)", "code.js"),
        (b"PK\x03\x04" + b"\0" * 40, "app.jar"),
        (b"\x7fELF\x02\x01\x01\x00", "tool"),
        (b"\0\0\0\x18ftypheic", "photo.heic"),
    ],
)
def test_what_is_not_allowed_is_not_taken_whatever_its_name(data: bytes, name: str) -> None:
    with pytest.raises(TypeNotAllowed):
        kind_of(data, name)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (files.PDF, "photo.png"),
        (files.PDF, "notes.txt"),
        (b"plain words", "invoice.pdf"),
        (files.archive("a.txt"), "report.docx"),
        (files.archive("a.txt"), "report.odt"),
        (b"\x1f\x8b\x08\0\0\0", "a.zip"),
    ],
)
def test_a_name_that_would_mislead_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(NameDeceives):
        kind_of(data, name)


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (files.image("PNG"), "a.png", "image/png"),
        (files.image("JPEG"), "really-a-jpeg.png", "image/jpeg"),
        (files.image("GIF"), "a", "image/gif"),
        (files.image("WEBP"), "a.webp", "image/webp"),
        (files.PDF, "Račun 1187.PDF", "application/pdf"),
        (files.LOG, "syslog", "text/plain"),
        (b"<134>Nov 26 10:02:11 host app: words", "syslog.log", "text/plain"),
        ("čšž, a;b\n1;2\n".encode("cp1250"), "export.csv", "text/plain"),
        (b"\x1b[31mred\x1b[0m", "build.log", "text/plain"),
        ("Napaka: strežnik se ne odziva\r\n".encode("utf-16"), "setup.log", "text/plain; charset=utf-16"),
        ("\ufeffčšž 😀 <b>".encode("utf-16-be"), "events", "text/plain; charset=utf-16"),
        (b"From: a@b.c\r\nSubject: Hi\r\n\r\nHello", "mail.eml", "message/rfc822"),
        (files.archive("logs/a.txt"), "logs.zip", "application/zip"),
        (files.archive("[Content_Types].xml", "word/document.xml"), "letter.docx",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (files.archive("mimetype", "content.xml"), "letter.odt", "application/vnd.oasis.opendocument.text"),
        (b"\x1f\x8b\x08\0\0\0", "logs.tar.gz", "application/gzip"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "screen.mp4", "video/mp4"),
    ],
)  # fmt: skip
def test_what_people_need_is_recognised_by_its_bytes(data: bytes, name: str, media_type: str) -> None:
    assert kind_of(data, name).media_type == media_type


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..%2f..%2fetc", "%2f..%2fetc"),
        ("\u200b.htaccess", "htaccess"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\x00b\r\nSet-Cookie: x.txt", "abSet-Cookie_ x.txt"),
        ('<img src=x onerror="alert(1)">.png', "_img src=x onerror=_alert(1)__.png"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("....", "file"),
        ("", "file"),
        ("\u200d\u200d", "file"),
        ("Račun  1187 .pdf", "Račun 1187 .pdf"),
        ("Z" + "\u0301" * 40 + ".txt", "Ź" + "\u0301" * 4 + ".txt"),
        ("\ud800.txt", "_.txt"),
    ],
)
def test_a_name_is_a_label_and_hides_nothing(name: str, shown: str) -> None:
    assert label(name) == shown


def test_a_long_name_keeps_its_ending() -> None:
    shown = label("ž" * 300 + ".pdf")
    assert len(shown.encode()) <= 255
    assert shown.endswith("ž.pdf")
    assert len(label("a." + "b" * 400).encode()) <= 255


def test_an_image_gets_the_ending_of_what_it_is() -> None:
    assert with_ending("photo.png", "jpg") == "photo.jpg"
    assert with_ending("photo", "jpg") == "photo.jpg"
