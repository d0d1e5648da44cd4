"""The ledger as a file for an auditor: a line of JSON an entry, evidence included, proven without a database.

::

    {"format":1,"kind":"ledger"}
    {"action":"proposed","actor":…,"bodies":{},…,"kind":"entry","seq":1}
    …
    {"hash":…,"kind":"head","seq":6}

The same ledger gives the same bytes, and a line that is written otherwise than we write it is not taken: whatever was
changed in the file, one finds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flightworthy.errors import LedgerBroken
from flightworthy.ledger.chain import GENESIS, Entry, instant, verify, verify_evidence

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A whole export that holds: every entry, the evidence by its digest, and the hash of the newest entry."""

    entries: tuple[Entry, ...]
    bodies: Mapping[str, str]
    head: str


def exported(entries: Iterable[Entry], body_of: Callable[[str], str | None]) -> Iterator[str]:
    """The lines of an export, without line ends. Whoever calls has verified the entries."""
    yield _line({"kind": "ledger", "format": _FORMAT})
    seq, head = 0, GENESIS
    for entry in entries:
        bodies = {digest: body_of(digest) for digest in entry.evidence}
        yield _line({**asdict(entry), "kind": "entry", "at": instant(entry.at), "bodies": bodies})
        seq, head = entry.seq, entry.hash
    yield _line({"kind": "head", "seq": seq, "hash": head})


def read_export(lines: Iterable[str]) -> Exported:
    """Read an export and prove it: chain, evidence, beginning and end. Raises LedgerBroken that names what is wrong."""
    entries: list[Entry] = []
    bodies: dict[str, str | None] = {}
    head: Mapping[str, Any] | None = None
    for number, line in enumerate(lines, start=1):
        told = _told(number, line)
        if (number == 1) != (told.get("kind") == "ledger") or head is not None:
            raise _broken(number, "stands where it does not belong: an export is one header, entries, and one head")
        if told["kind"] == "entry":
            bodies.update(told.pop("bodies"))
            entries.append(_entry(told))
        elif told["kind"] == "head":
            head = told
    if head is None:
        raise LedgerBroken("the export ends without its head: its last lines were cut off", seq=len(entries) + 1)
    if head["seq"] != len(entries):
        raise LedgerBroken(
            f"the export does not hold: it has {len(entries)} entries, and its head is that of {head['seq']}.",
            seq=len(entries) + 1,
        )
    verify(entries, head=str(head["hash"]))
    verify_evidence(entries, bodies.get)
    return Exported(
        entries=tuple(entries),
        bodies={digest: body for digest, body in bodies.items() if body is not None},
        head=str(head["hash"]),
    )


_FIELDS = {
    "ledger": {"kind", "format"},
    "entry": {"kind", "bodies", *Entry.__dataclass_fields__},
    "head": {"kind", "seq", "hash"},
}


def _told(number: int, line: str) -> dict[str, Any]:
    text = line.rstrip("\n")
    try:
        told = json.loads(text)
        fits = isinstance(told, dict) and told.keys() == _FIELDS.get(str(told.get("kind"))) and _line(told) == text
        if fits and told["kind"] == "ledger":
            fits = told["format"] == _FORMAT
        if fits and told["kind"] == "entry":
            fits = sorted(told["bodies"]) == sorted(set(told["evidence"])) and instant(_at(told)) == told["at"]
    except (ValueError, TypeError, AttributeError) as error:
        raise _broken(number, f"cannot be read ({error})") from error
    if not fits:
        raise _broken(number, "is not written as an export writes it; it was edited, or is of another version")
    return dict(told)


def _entry(told: dict[str, Any]) -> Entry:
    del told["kind"]
    return Entry(**{**told, "at": _at(told), "evidence": tuple(told["evidence"])})


def _at(told: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(told["at"])


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _broken(number: int, what: str) -> LedgerBroken:
    return LedgerBroken(f"the export does not hold: line {number} {what}.", line=number, seq=max(number - 1, 0))
