"""Bad input of every command: one sentence on stderr that says what to do, the right exit code, and nothing changed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import nightdesk
from tests.support.servers import free_port

KEY = "k" * 40
NO_SERVER = {"NIGHTDESK_DATABASE_URL": "postgresql://x:hidden@127.0.0.1:1/z", "NIGHTDESK_SECRET_KEY": KEY}


def run(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    return nightdesk.run(arguments, kept | {"NIGHTDESK_DATA_DIR": str(folder)} | settings, stdin=stdin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with an operator and a site."""
    folder = tmp_path_factory.mktemp("desk")
    assert (
        run(folder, "site", "add", "--key", "acme", "--name", "Acme", "--origin", "https://acme.example").returncode
        == 0
    )
    assert run(folder, "operator", "add", "--email", "ana@acme.example", "--name", "Ana").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("site", "add", "--name", "x", "--origin", "https://x.example/path"), 1, "without a path"),
        (("site", "add", "--name", "x", "--origin", "x.example"), 1, "https://"),
        (("site", "add", "--name", "x", "--origin", "https://x.example", "--key", "acme"), 1, "already"),
        (("site", "add", "--name", "x", "--origin", "https://x.example", "--key", "a/b"), 1, "letters"),
        (("site", "snippet", "nobody"), 1, "nightdesk site list"),
        (("operator", "add", "--email", "nope", "--name", "x"), 1, "no e-mail address"),
        (("operator", "add", "--email", "ana@acme.example", "--name", "x"), 1, "already"),
        (("operator", "add", "--email", "b@acme.example", "--name", "x", "--department", "zz"), 1, "no department zz"),
        (("operator", "add", "--email", "b@acme.example", "--name", "x", "--role", "king"), 1, "administrator"),
        (("operator", "add", "--email", "b@acme.example", "--name", "x", "--language", "fi"), 1, "en or sl"),
        (("operator", "add", "--email", "b@acme.example", "--name", "x", "--capacity", "0"), 2, "capacity"),
        (("operator", "add", "--name", "x"), 2, "--email"),
        (("operator", "password", "--email", "nobody@acme.example"), 1, "no operator"),
        (("operator", "password", "--email", "ana@acme.example"), 1, "10 characters"),
        (("operator", "role", "--email", "nobody@acme.example", "--role", "operator"), 1, "operator list"),
        (("operator", "role", "--email", "ana@acme.example", "--role", "king"), 1, "supervisor or administrator"),
        (("operator", "deactivate", "--email", "nobody@acme.example"), 1, "operator list"),
        (("operator", "sign-out"), 2, "--email"),
        (("visitor", "end", "--conversation", "nonsense"), 1, "no conversation"),
        (("demo", "--port", "99999"), 2, "port"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_bad_input_is_told_in_words(folder: Path, arguments: tuple[str, ...], code: int, word: str) -> None:
    done = run(folder, *arguments, stdin="short\n")
    assert done.returncode == code
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_after_all_that_nothing_has_changed(folder: Path) -> None:
    assert run(folder, "site", "list").stdout.split() == ["acme", "Acme", "https://acme.example"]
    assert run(folder, "operator", "list").stdout.startswith("ana@acme.example  Ana  operator")


def test_nonsense_in_the_settings_is_exit_3_with_the_name(folder: Path) -> None:
    for command in ("serve", "worker", "migrate", "doctor", "demo"):
        done = run(folder, command, NIGHTDESK_LISTNE="x")
        assert done.returncode == 3
        assert "NIGHTDESK_LISTNE: there is no such setting" in done.stderr


def test_asking_leaves_an_empty_place_empty(folder: Path, tmp_path: Path) -> None:
    """So a copy can still be restored there."""
    made = tmp_path / "copy.tar.gz"
    assert run(folder, "backup", str(made)).returncode == 0
    place = tmp_path / "place"
    assert run(place, "doctor").returncode == 1
    assert run(place, "migrate", "--check").returncode == 1
    assert list(place.iterdir()) == []
    assert run(place, "restore", str(made)).returncode == 0
    assert run(place, "site", "list").stdout.startswith("acme")


def test_a_data_folder_that_is_none_a_key_that_is_cut_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "secret-key").write_text("")
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "nightdesk.sqlite3").write_text("no database, but words" * 100)
    for place, command, word in (
        ("file", ("site", "list"), "File exists"),
        ("key", ("serve",), "secret-key is cut short"),
        ("spoilt", ("site", "list"), "file is not a database"),
        ("spoilt", ("backup", str(tmp_path)), "file is not a database"),
    ):
        done = run(tmp_path / place, *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "key" / "secret-key").read_text() == ""


def test_an_address_that_postgresql_does_not_understand_is_a_sentence(folder: Path) -> None:
    settings = NO_SERVER | {"NIGHTDESK_DATABASE_URL": "postgresql://x:hidden@127.0.0.1/z?nonsense=1"}
    for command in (("operator", "list"), ("backup", str(folder)), ("doctor",)):
        done = run(folder, *command, **settings)
        assert done.returncode == 1
        assert "NIGHTDESK_DATABASE_URL" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "hidden" not in done.stdout + done.stderr


def test_a_database_that_is_not_there_is_a_sentence_and_no_secret(folder: Path) -> None:
    for command in ("migrate", "serve", "worker"):
        done = run(folder, command, **NO_SERVER)
        assert done.returncode == 1
        assert "NIGHTDESK_DATABASE_URL" in done.stderr
        assert "Traceback" not in done.stderr
        assert "hidden" not in done.stderr


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(folder: Path, tmp_path: Path) -> None:
    found = json.loads(run(folder, "doctor", "--json", NIGHTDESK_LISTEN=f"127.0.0.1:{free_port()}").stdout)
    assert [one["name"] for one in found if not one["ok"]] == ["server"]
    assert all(one["mend"] for one in found if not one["ok"])
    fresh = run(tmp_path, "doctor")
    assert fresh.returncode == 1
    assert "nightdesk migrate" in fresh.stdout
    away = run(folder, "doctor", NIGHTDESK_REDIS_URL="redis://127.0.0.1:1", **NO_SERVER)
    assert away.returncode == 1
    assert "NIGHTDESK_DATABASE_URL" in away.stdout
    assert "NIGHTDESK_REDIS_URL" in away.stdout
    assert "hidden" not in away.stdout


def test_a_password_is_set_from_standard_input(folder: Path) -> None:
    done = run(folder, "operator", "password", "--email", "ana@acme.example", stdin="a long enough one\n")
    assert done.returncode == 0
    assert "long enough" not in done.stdout + done.stderr


def test_access_is_ended_and_given_by_command(folder: Path) -> None:
    ana = ("--email", "ana@acme.example")

    def listed() -> tuple[object, object]:
        row = json.loads(run(folder, "operator", "list", "--json").stdout)[0]
        return row["active"], row["role"]

    assert run(folder, "operator", "role", *ana, "--role", "supervisor").returncode == 0
    assert listed() == (True, "supervisor")
    assert run(folder, "operator", "deactivate", *ana).returncode == 0
    assert listed() == (False, "supervisor")
    assert run(folder, "operator", "sign-out", *ana).returncode == 0
    assert run(folder, "operator", "activate", *ana).returncode == 0
    assert listed() == (True, "supervisor")


def test_migrate_check_tells_without_changing(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate", "--check").returncode == 1
    assert run(tmp_path, "migrate").returncode == 0
    assert run(tmp_path, "migrate", "--check").returncode == 0


def test_many_processes_need_what_they_share(folder: Path) -> None:
    done = run(folder, "serve", "--processes", "4")
    assert done.returncode == 3
    assert "NIGHTDESK_DATABASE_URL=postgresql://… and NIGHTDESK_REDIS_URL=redis://…" in done.stderr
    assert "Traceback" not in done.stderr
    half = run(folder, "serve", "--processes", "4", NIGHTDESK_REDIS_URL="redis://127.0.0.1:1")
    assert half.returncode == 3
    assert "NIGHTDESK_REDIS_URL" not in half.stderr
