"""Nonsense is refused at start, by the name of the variable, with what would be right."""

from pathlib import Path

import pytest

from chat.settings import Settings, SettingsRefused, load_settings
from tests.readme import README, written


def faults(**environment: str) -> list[str]:
    with pytest.raises(SettingsRefused) as caught:
        load_settings({f"NIGHTDESK_{name}": value for name, value in environment.items()})
    return caught.value.faults


def test_without_any_setting_it_is_a_program_on_this_machine_alone() -> None:
    settings = load_settings({})
    assert settings.listen == "127.0.0.1:8000"
    assert settings.effective_database_url.startswith("sqlite:///")
    assert not settings.is_secure


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("LISTEN", "8000", "127.0.0.1:8000"),
        ("LISTEN", "127.0.0.1:99999", "127.0.0.1:8000"),
        ("BASE_URL", "chat.example.com", "https://chat.example.com"),
        ("BASE_URL", "http://chat.example.com", "https"),
        ("BASE_URL", "https://example.com/chat", "no path"),
        ("DATABASE_URL", "mysql://localhost/x", "postgresql://"),
        ("REDIS_URL", "http://localhost", "redis://"),
        ("TIME_ZONE", "Mars/Olympus", "Europe/Ljubljana"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/8"),
        ("LOCALES", "en,fi", "en, sl"),
        ("FRAME_MAX_BYTES", "1", "4096"),
        ("LOG_LEVEL", "loud", "debug"),
        ("SECRET_KEY", "short", "32"),
        ("OFFER_SECONDS", "soon", "number"),
        ("LISTEN", "127.0.0.1:²", "127.0.0.1:8000"),
        ("BASE_URL", "https://chat.example.com:word", "https://chat.example.com"),
        ("BASE_URL", "http://localhost:99999", "https://chat.example.com"),
        ("REDIS_URL", "redis://127.0.0.1:word", "redis://host:6379"),
        ("DATABASE_URL", "postgresql://anna:hid/den@db/nightdesk", "%2F for /"),
        ("DATABASE_URL", "postgresql://db1:5432,db2:word/nightdesk", "a port is a number"),
        ("DATABASE_URL", "sqlite://", "path of a file"),
        ("SMTP_URL", "mail.example.com:587", "smtp+starttls://"),
        ("SMTP_URL", "smtps://ann:hid@mail.example.com:word", "smtp+starttls://"),
        ("SMTP_URL", "smtps://ann:hid/den@mail.example.com", "%40 for @"),
        ("SMTP_URL", "smtp://ann:hidden@mail.example.com", "smtps://"),
        ("SMTP_URL", "smtps://mail.example.com?x=1", "smtp+starttls://"),
        ("MAIL_FROM", "support", "support@example.com"),
        ("MAIL_FROM", "a@example.com\r\nBcc: b@example.com", "support@example.com"),
        ("MAIL_FROM", "a@example.com <b@example.com>", "support@example.com"),
        ("DATABASE_URL", "sqlite:///:memory:", "path of a file"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: str, word: str) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(f"NIGHTDESK_{name}: ")
    assert word in fault
    assert "hid" not in fault


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%2F@[::1]:5432,db2:5433/nightdesk?sslmode=require",
        "postgresql:///nightdesk?host=/run/postgresql",
        "sqlite:////var/lib/nightdesk/nightdesk.sqlite3",
    ],
)
def test_addresses_of_databases_that_are_good(url: str) -> None:
    assert load_settings({"NIGHTDESK_DATABASE_URL": url, "NIGHTDESK_SECRET_KEY": "k" * 40}).database_url == url


def test_all_faults_are_told_at_once() -> None:
    assert len(faults(LISTEN="x", TIME_ZONE="y", MOOD="z")) == 3


def test_an_unknown_name_is_a_fault() -> None:
    assert faults(LISTNE="127.0.0.1:1") == ["NIGHTDESK_LISTNE: there is no such setting"]


def test_postgresql_needs_a_key_that_all_processes_share() -> None:
    (fault,) = faults(DATABASE_URL="postgresql://localhost/nightdesk")
    assert fault.startswith("NIGHTDESK_SECRET_KEY: ")


def test_a_secret_may_come_from_a_file_and_is_never_printed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 40 + "\n")
    settings = load_settings({"NIGHTDESK_SECRET_KEY_FILE": str(file)})
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == "k" * 40
    assert "kkkk" not in repr(settings)
    assert faults(SECRET_KEY_FILE=str(tmp_path / "none"))[0].startswith("NIGHTDESK_SECRET_KEY_FILE: ")


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe\x00", "is no text")]
)
def test_a_file_without_a_secret_in_it_is_a_fault(tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    (fault,) = faults(SECRET_KEY_FILE=str(file))
    assert fault == f"NIGHTDESK_SECRET_KEY_FILE: {file} {word}"


def test_a_secret_that_comes_twice_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 40)
    (fault,) = faults(SECRET_KEY="j" * 40, SECRET_KEY_FILE=str(file))
    assert "NIGHTDESK_SECRET_KEY is set too" in fault
    assert load_settings({"NIGHTDESK_SECRET_KEY": "", "NIGHTDESK_SECRET_KEY_FILE": str(file)}).secret_key is not None


def test_settings_cannot_be_changed_while_running() -> None:
    settings = load_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.listen = "0.0.0.0:80"


def test_every_setting_is_described_and_the_readme_has_the_same_table() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "run `python -m tests.readme`"
