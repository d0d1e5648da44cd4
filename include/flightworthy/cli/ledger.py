"""``flightworthy ledger``: the proof that no decision was changed, and the file in which an auditor takes them away."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.errors import LedgerBroken
from flightworthy.ledger import Exported, exported, read_export
from flightworthy.release import prove_all

if TYPE_CHECKING:
    from flightworthy.ledger import Entry

__all__ = ["arguments", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proven:
    """What was verified, and where."""

    where: str
    entries: Sequence[Entry]
    evidence: int
    head: str


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    verify = verbs.add_parser("verify", help="find any entry or evidence that was changed, removed, added or moved")
    verify.add_argument("file", nargs="?", type=Path, metavar="FILE", help="an export; no database is asked")
    verify.add_argument(
        "--against", type=Path, metavar="FILE", help="an earlier export, of which every entry must still be there"
    )
    json_flag(verify)
    export = verbs.add_parser("export", help="write every entry with its evidence, a line of JSON each")
    export.add_argument("--output", type=Path, metavar="FILE", help="write into this file (default: to stdout)")
    json_flag(export)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Verify or export. Raises LedgerBroken, which names the first entry that does not hold."""
    if asked.verb == "export":
        return _export(asked.output, settings)
    proven = _of_database(settings) if asked.file is None else _of_file(asked.file)
    earlier = None if asked.against is None else _read(asked.against)
    if earlier is not None:
        _continues(proven, earlier)
    return Answer(
        document=_document(proven, earlier), text=_text(proven, None if earlier is None else asked.against),
        exit=Exit.DONE,
    )  # fmt: skip


def _of_database(settings: Settings) -> _Proven:
    store = settings.releases()
    try:
        proof, evidence = prove_all(store)
    finally:
        store.close()
    return _Proven(where="the ledger", entries=proof.entries, evidence=evidence, head=proof.head)


def _of_file(file: Path) -> _Proven:
    found = _read(file)
    return _Proven(where=str(file), entries=found.entries, evidence=len(found.bodies), head=found.head)


def _read(file: Path) -> Exported:
    with file.open(encoding="utf-8", newline="\n") as lines:
        return read_export(lines)


def _continues(proven: _Proven, earlier: Exported) -> None:
    """See that what was exported before is the beginning of it: a ledger rewritten as a whole holds by itself."""
    for before, now in zip(earlier.entries, proven.entries, strict=False):
        if before.hash != now.hash:
            what = f"entry {before.seq} ({before.action} of {before.model}) is not the one that was exported before"
            raise LedgerBroken(f"{proven.where} does not hold: {what}; everything since was rewritten.", seq=before.seq)
    if len(proven.entries) < len(earlier.entries):
        seq = len(proven.entries) + 1
        raise LedgerBroken(f"{proven.where} does not hold: entry {seq} was exported before and is gone.", seq=seq)


def _export(output: Path | None, settings: Settings) -> Answer:
    store = settings.releases()
    try:
        proof, evidence = prove_all(store)
        text = "\n".join(exported(proof.entries, store.evidence))
    finally:
        store.close()
    document = {"entries": len(proof.entries), "evidence": evidence, "head": proof.head, "file": str(output or "-")}
    if output is None:
        return Answer(document={**document, "lines": text.split("\n")}, text=text, exit=Exit.DONE)
    part = output.with_name(f".{output.name}.{os.getpid()}")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(output)
    told = f"{len(proof.entries)} decisions are in {output}; prove it with `flightworthy ledger verify {output}`"
    return Answer(document=document, text=told, exit=Exit.DONE)


def _document(proven: _Proven, earlier: Exported | None) -> dict[str, Any]:
    document = {"holds": True, "entries": len(proven.entries), "evidence": proven.evidence, "head": proven.head}
    return document if earlier is None else {**document, "continues": earlier.head}


def _text(proven: _Proven, against: Path | None) -> str:
    said = (
        f"{proven.where} holds: {len(proven.entries)} decisions and {proven.evidence} pieces of evidence, "
        f"none changed, removed, added or moved.\n"
        f"The newest hash is {proven.head}; kept elsewhere, it proves this much later too."
    )
    return said if against is None else f"{said}\nIt continues {against}: nothing of that was rewritten."
