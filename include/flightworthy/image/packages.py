"""What of the server's wheels goes into an image: one archive that depends on the wheels and on nothing else.

A wheel is a zip whose content is already where it belongs, so installing one without an environment is copying it. Done
here rather than by pip inside the image, the hashes are checked by us, no time and no path of a build gets into the
layer, and what no server ever imports stays out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from flightworthy.errors import ReleaseRefused
from flightworthy.image.recipe import LIBRARIES, PACKAGES, PLACES

__all__ = ["Wheel", "check_wheels", "pack", "pinned", "with_lenders"]

_HASHED = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
_FOR_COMPILERS: Final = (
    *(".a", ".c", ".cc", ".cpp", ".cu", ".f", ".f90", ".h", ".hpp", ".lib", ".o"),
    *(".pxd", ".pxi", ".pyi", ".pyx"),
)
_FOR_DEVELOPERS: Final = (
    # For those who convert models; a server is given one that is converted.
    "onnxruntime/datasets/",
    "onnxruntime/quantization/",
    "onnxruntime/tools/",
    "onnxruntime/transformers/",
    # The same engine once more, for programs in C: Python loads the one that its own module brings.
    "onnxruntime/capi/libonnxruntime.so.",
    "sklearn/datasets/data/",
    "sklearn/datasets/descr/",
    "sklearn/datasets/images/",
)
_LENDS: Final = "# lends a library\n"
_TESTS: Final = frozenset({"test", "tests"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loan:
    """A library that a package expects of the system and a slim image lacks, found in another package's wheel."""

    borrower: str
    lender: str
    member: str
    library: str


_LOANS: Final = (
    # OpenMP. scikit-learn brings it under a name of its own; LightGBM brings none.
    _Loan(borrower="lightgbm", lender="scikit-learn", member="scikit_learn.libs/libgomp-", library="libgomp.so.1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel that the requirements name, and whose content is what they say.

    ``only``: the libraries that are taken out of it, where the rest of it is not.
    """

    name: str
    version: str
    file: str
    sha256: str
    only: str = ""


def with_lenders(requirements: str, locked: str) -> str:
    """``requirements``, and from ``locked`` the packages whose wheels lend a library to one of them."""
    names = pinned(requirements)
    for loan in _LOANS:
        if loan.borrower in names and loan.lender not in names:
            found = re.search(rf"^{loan.lender}==.*?(?=^[^\s]|\Z)", locked, re.MULTILINE | re.DOTALL)
            requirements += f"{_LENDS}{found[0]}" if found else ""
    return requirements


def pinned(requirements: str) -> dict[str, str]:
    """The version of each package that a requirements file names."""
    return {_canonical(name): version for name, version in _PINNED.findall(requirements)}


def check_wheels(folder: Path, requirements: str) -> list[Wheel]:
    """The wheels in ``folder``, sorted by file.

    Raises ReleaseRefused, which names the file, for a wheel that ``requirements`` does not name or whose hash it does
    not allow, and for a package that has no wheel.
    """
    wheels = [_checked(path, requirements) for path in sorted(folder.glob("*.whl"))]
    if missing := pinned(requirements).keys() - {wheel.name for wheel in wheels}:
        raise ReleaseRefused(
            f"{folder} has no wheel of {', '.join(sorted(missing))}, which the lock names. Remove the folder and run "
            "containerize again; it is collected anew.",
            packages=sorted(missing),
        )
    return wheels


def pack(folder: Path, requirements: str, archive: IO[bytes]) -> None:
    """Write the packages of the wheels in ``folder`` into ``archive``, a tar. Raises as ``check_wheels`` does."""
    wheels = check_wheels(folder, requirements)
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _make_folders(tar, {f"{place}/x" for place in PLACES.values()})
        borrowed = [loan for loan in _LOANS if loan.borrower in pinned(requirements)]
        for wheel in wheels:
            with zipfile.ZipFile(folder / wheel.file) as content:
                if not wheel.only:
                    _unpack(content, tar)
                for loan in borrowed:
                    if loan.lender == wheel.name:
                        _lend(content, loan, tar)


def _checked(path: Path, requirements: str) -> Wheel:
    said, version, *_ = path.name.split("-")
    name = _canonical(said)
    lent = [loan.library for loan in _LOANS if loan.lender == name] if f"{_LENDS}{name}==" in requirements else []
    found = Wheel(name=name, version=version, file=path.name, sha256=_sha256(path), only=", ".join(lent))
    if pinned(requirements).get(found.name) != version or found.sha256 not in _HASHED.findall(requirements):
        raise ReleaseRefused(
            f"{path} is not what the lock names: its sha256 is {found.sha256[:12]}…. It was changed after it was "
            "collected. Remove its folder and run containerize again; it is collected anew.",
            file=path.name,
            sha256=found.sha256,
        )
    return found


def _unpack(wheel: zipfile.ZipFile, tar: tarfile.TarFile) -> None:
    """The files of one wheel that a server may import, in order, with no time, owner or mode of anybody's."""
    content = {name: member for member in wheel.infolist() if (name := _installed_as(member.filename))}
    kept = {name: member for name, member in sorted(content.items()) if _is_kept(name)}
    _make_folders(tar, {f"{PLACES[PACKAGES]}/{name}" for name in kept})
    for name, member in kept.items():
        body = wheel.read(member)
        if name.endswith(".dist-info/RECORD"):
            body = _record(body, kept)
        _add(tar, f"{PLACES[PACKAGES]}/{name}", body)


def _lend(wheel: zipfile.ZipFile, loan: _Loan, tar: tarfile.TarFile) -> None:
    """One library out of a wheel, under the name that the loader looks for."""
    for name in sorted(wheel.namelist()):
        if name.startswith(loan.member):
            _make_folders(tar, [f"{PLACES[LIBRARIES]}/{loan.library}"])
            _add(tar, f"{PLACES[LIBRARIES]}/{loan.library}", wheel.read(name))
            return


def _installed_as(name: str) -> str | None:
    """Where a member of a wheel is installed, below the folder of packages; None for what is not imported."""
    first, _, rest = name.partition("/")
    if name.endswith("/"):
        return None
    if first.endswith(".data"):
        scheme, _, rest = rest.partition("/")
        return rest if scheme in ("purelib", "platlib") else None
    return name


def _is_kept(name: str) -> bool:
    parts = name.split("/")
    if parts[0] in ("", "..") or ".." in parts:
        raise ReleaseRefused(f"A wheel holds {name}, which lies outside of its own folder. Do not use it.", file=name)
    is_metadata = parts[0].endswith(".dist-info")
    is_left_out = not _TESTS.isdisjoint(parts[:-1]) or name.endswith(_FOR_COMPILERS) or name.startswith(_FOR_DEVELOPERS)
    return is_metadata or not is_left_out


def _record(body: bytes, kept: Iterable[str]) -> bytes:
    """The wheel's own list of files without those that were left out, so that it stays true."""
    names = set(kept)
    rows = [row for row in csv.reader(io.StringIO(body.decode())) if row and row[0] in names]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _make_folders(tar: tarfile.TarFile, names: Iterable[str]) -> None:
    """Each folder above ``names`` once in the archive: one that only the engine makes would carry the build's time."""
    known = set(tar.getnames())
    for folder in sorted({parent for name in names for parent in _parents(name)} - known):
        entry = _entry(folder, 0o755)
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = _entry(name, 0o644)
    entry.size = len(body)
    tar.addfile(entry, io.BytesIO(body))


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _entry(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    return entry


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
