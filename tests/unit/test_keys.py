"""The secret key: one for all who start at once, whole or refused."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chat.keys import KeyCutShort, known_secret_key, secret_key_of
from chat.settings import load_settings


def test_all_who_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path / "new")
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: secret_key_of(settings), range(64)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    (file,) = settings.data_dir.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "\n", "k" * 31])
def test_a_key_that_is_not_whole_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    settings = load_settings({}, data_dir=tmp_path)
    (tmp_path / "secret-key").write_text(content)
    with pytest.raises(KeyCutShort, match="secret-key is cut short"):
        secret_key_of(settings)
    assert (tmp_path / "secret-key").read_text() == content


def test_asking_makes_none(tmp_path: Path) -> None:
    assert known_secret_key(load_settings({}, data_dir=tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
