"""A home that others can read, a guessable key or a misspelt safeguard must not pass unnoticed."""

import os
import stat
from pathlib import Path

import pytest

from dagster_project.home import Home, HomeError
from dagster_project.setting_up import create_home
from dagster_project.settings import SettingsError, read_settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    create_home(made)
    return made


def test_every_folder_is_private_and_the_key_is_secret_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        home = Home(tmp_path / "h")
        create_home(home)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(f.stat().st_mode) for f in home.folders()} == {0o700}
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    assert len(home.key()) == 32


def test_making_a_home_twice_keeps_key_and_settings(home: Home) -> None:
    key = home.key()
    home.settings_file.write_text('[release]\nperiod = "month"\n')
    create_home(home)
    assert home.key() == key
    assert read_settings(home.settings_file).release.period == "month"


def test_a_missing_weak_or_readable_key_is_refused(home: Home) -> None:
    home.key_file.chmod(0o644)
    with pytest.raises(HomeError, match="readable by others"):
        home.key()
    home.key_file.chmod(0o600)
    home.key_file.write_bytes(b"0" * 32)
    with pytest.raises(HomeError, match="random"):
        home.key()
    home.key_file.write_bytes(os.urandom(16))
    with pytest.raises(HomeError, match="random"):
        home.key()
    home.key_file.unlink()
    with pytest.raises(HomeError, match="cannot be read"):
        home.key()


def test_the_written_settings_are_the_defaults(home: Home) -> None:
    settings = read_settings(home.settings_file)
    assert (settings.release.period, settings.policy.profile, settings.classifier.kind) == ("week", "default", "local")


def test_the_environment_wins_over_the_file_and_leaves_its_neighbours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.settings_file.write_text("[policy]\nmin_users = 12\nmin_conversations = 30\n")
    monkeypatch.setenv("CONFIDE_POLICY__MIN_USERS", "20")
    policy = read_settings(home.settings_file).policy
    assert policy.overrides() == {"min_users": 20, "min_conversations": 30}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[policy]\nmin_user = 50\n", "policy.min_user"),
        ('[release]\nperiod = "hour"\n', "release.period"),
        ("[polcy]\nmin_users = 50\n", "polcy"),
        ("[schedule]\nhour_utc = 24\n", "schedule.hour_utc"),
    ],
)
def test_a_misspelt_safeguard_is_an_error_that_names_it(home: Home, text: str, where: str) -> None:
    home.settings_file.write_text(text)
    with pytest.raises(SettingsError, match=where):
        read_settings(home.settings_file)


def test_broken_toml_is_an_error_and_not_a_default(home: Home) -> None:
    home.settings_file.write_text("[policy\n")
    with pytest.raises(SettingsError, match=r"confide\.toml"):
        read_settings(home.settings_file)
