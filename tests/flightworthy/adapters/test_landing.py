"""Prepared partitions land whole and once, and the program of a model's folder says which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from flightworthy.adapters.landing import land, main


def quarters(file: Path = Path("any")) -> Iterator[tuple[str, pd.DataFrame]]:
    for number, key in enumerate(("1999-01", "1999-04")):
        yield key, pd.DataFrame({"file": [str(file)], "patient": [number]})


def test_a_partition_lands_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before its last step it is not there; landing again does what is left."""
    folder = tmp_path / "readmission"

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            list(land(quarters(), folder))
    assert not list(folder.glob("[!.]*"))

    landed = list(land(quarters(), folder))

    assert [path.name for path in landed] == ["1999-01.parquet", "1999-04.parquet"]
    assert list(land(quarters(), folder)) == []
    assert sorted(path.name for path in folder.iterdir()) == ["1999-01.parquet", "1999-04.parquet"]


@pytest.mark.parametrize("is_given", [True, False], ids=["given", "of the environment"])
def test_a_models_program_lands_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_given: bool
) -> None:
    """By its one word before the environment's; from the folder of the public files."""
    monkeypatch.setenv("FLIGHTWORTHY_DATA_DIR", "public")
    monkeypatch.setenv("FLIGHTWORTHY_LANDING", str(tmp_path / "environment"))
    monkeypatch.setattr("sys.argv", ["land.py", *([str(tmp_path / "given")] if is_given else [])])

    main("readmission", "stays.zip", quarters)

    landed = tmp_path / ("given" if is_given else "environment") / "readmission" / "1999-01.parquet"
    assert capsys.readouterr().out.splitlines()[0] == str(landed)
    assert pd.read_parquet(landed)["file"].tolist() == ["public/stays.zip"]
    assert len(list(tmp_path.iterdir())) == 1
