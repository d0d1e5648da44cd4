"""Places: what a stack generates once and keeps."""

from __future__ import annotations

import stat
from dataclasses import astuple
from pathlib import Path

import pytest

from demo.places import Places, free_ports, write_private
from flightworthy.adapters.model_signatures import KeySigner, KeyVerifier


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The password of the first start is the password of every later one, in a file of mode 0600."""
    places = Places(home=tmp_path / "home")
    places.make()

    first = places.secret("airflow_admin_password")

    assert len(first) >= 20
    assert Places(home=tmp_path / "home").secret("airflow_admin_password") == first
    assert stat.S_IMODE((places.secrets / "airflow_admin_password").stat().st_mode) == 0o600
    assert stat.S_IMODE(places.secrets.stat().st_mode) == 0o700


def test_two_homes_share_no_secret(tmp_path: Path) -> None:
    """Every secret is generated, none is shipped."""
    names = ("airflow_admin_password", "airflow_fernet_key", "airflow_jwt_secret", "mlflow_password")
    here, there = Places(home=tmp_path / "here"), Places(home=tmp_path / "there")
    here.make()
    there.make()

    assert all(here.secret(name) != there.secret(name) for name in names)


def test_keys_are_made_once_and_fit_each_other(tmp_path: Path) -> None:
    """The private one is its owner's alone; what it signs the public one verifies."""
    places = Places(home=tmp_path / "home")
    places.make()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.skops").write_bytes(b"weights")

    private, public = places.key_pair()

    assert Places(home=tmp_path / "home").key_pair() == (private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    signature = KeySigner(private_key=private).sign(tmp_path / "model")
    KeyVerifier(public_keys=(Places(home=tmp_path / "home").key_pair()[1],)).verify(tmp_path / "model", signature)


def test_ports_are_remembered_and_differ(tmp_path: Path) -> None:
    """A stack that comes up again is where it was."""
    tmp_path.mkdir(exist_ok=True)
    ports = Places(home=tmp_path).ports()

    assert Places(home=tmp_path).ports() == ports
    assert len(set(astuple(ports))) == len(astuple(ports))


def test_free_ports_are_as_many_as_asked_for() -> None:
    """All of them are held until all are found, so none comes twice."""
    assert len(set(free_ports(20))) == 20


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """What a killed writer left behind is in nobody's way."""
    target = tmp_path / "key"
    (tmp_path / "key.part").write_text("half", encoding="utf-8")

    write_private(target, "whole")

    assert target.read_text(encoding="utf-8") == "whole"
    assert not (tmp_path / "key.part").exists()


def test_an_unknown_secret_is_not_made(tmp_path: Path) -> None:
    """A name that nobody declared is a mistake in the code."""
    with pytest.raises(KeyError, match="no_such"):
        Places(home=tmp_path).secret("no_such")
