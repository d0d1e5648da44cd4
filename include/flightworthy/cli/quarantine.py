"""``flightworthy quarantine``: what was refused and why; and what a person decides about it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, facts, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.person import actor
from flightworthy.cli.settings import Settings
from flightworthy.cli.waiting_rows import discard_document, reason_lines, row_documents
from flightworthy.cli.words import count, json_flag, numbers
from flightworthy.ledger import instant
from flightworthy.quarantine.choosing import Choice
from flightworthy.quarantine.verbs import Decided, chosen, discard, hold, release
from flightworthy.release import Cause

if TYPE_CHECKING:
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.quarantine import Quarantined
    from flightworthy.release import ReleaseStore

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="show every refused partition with the reason")
    listing.add_argument("model", metavar="MODEL")
    json_flag(listing)
    for verb, summary in (
        ("show", "print rows that wait, each with its reasons"),
        ("release", "take rows or a partition back in, by a person's word"),
        ("discard", "give rows or a partition up; nothing is deleted"),
        ("hold", "refuse a partition that had passed"),
    ):
        one = verbs.add_parser(verb, help=summary, description=summary)
        one.add_argument("model", metavar="MODEL")
        one.add_argument("key", metavar="KEY", help="the partition's key")
        if verb != "hold":
            one.add_argument("--digest", default="", metavar="DIGEST", help="which, where several contents of it wait")
        if verb == "show":
            one.add_argument("--limit", type=count, default=20, metavar="N", help="only the first N rows (default 20)")
        else:
            one.add_argument("--reason", required=True, help="why; it is written into the ledger")
        if verb in {"release", "discard"}:
            one.add_argument(
                "--rows", type=numbers, metavar="3,7-9", help="only these rows, by the numbers that show prints"
            )
            one.add_argument(
                "--unmet", action="append", default=[], metavar="REASON",
                help="only rows with a reason that begins so; release leaves those that have others too",
            )  # fmt: skip
        json_flag(one)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Do one of list, show, release, discard and hold."""
    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
        return _VERBS[asked.verb](_Asked(words=asked, settings=settings, datasets=settings.datasets(), ledger=store))
    finally:
        store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked, and of whom."""

    words: argparse.Namespace
    settings: Settings
    datasets: DatasetFiles
    ledger: ReleaseStore

    @property
    def model(self) -> str:
        return str(self.words.model)

    @property
    def held(self) -> Quarantined:
        """What waits of the partition that was named."""
        return chosen(self.datasets, self.model, self.words.key, digest=self.words.digest)

    @property
    def choice(self) -> Choice:
        """Which of its rows are meant."""
        rows = None if self.words.rows is None else tuple(self.words.rows)
        return Choice(numbers=rows, unmet=tuple(self.words.unmet))

    @property
    def cause(self) -> Cause:
        return Cause(actor=actor(), reason=self.words.reason.strip(), at=datetime.now(UTC))


def _list(asked: _Asked) -> Answer:
    found, freezing = asked.datasets.quarantined(asked.model), asked.datasets.refused(asked.model)
    partitions = [{**document(each), "freezes": each in freezing} for each in found]
    text = _listed(found) if found else f"no partition of {asked.model} is in quarantine"
    return Answer(document={"model": asked.model, "partitions": partitions}, text=text, exit=Exit.DONE)


def _listed(found: list[Quarantined]) -> str:
    rows: list[tuple[object, ...]] = []
    for each in found:
        rows.append((each.key, each.digest[:12], when(each.quarantined_at), each.reason))
        lines = [objection for objection in each.objections if objection not in each.reason]
        if each.discarded is not None:
            lines.append(f"given up by {each.discarded.actor}: {each.discarded.reason}")
        rows += [("", "", "", f"· {line}") for line in lines]
    return table(("PARTITION", "DIGEST", "AT (UTC)", "REASON"), rows)


def _show(asked: _Asked) -> Answer:
    held = asked.held
    if held.rows is None:
        return Answer(
            document={**document(held), "shown": []},
            text=f"{_about(held)}\n\nIts rows could not be read.",
            exit=Exit.DONE,
        )
    rows = asked.datasets.waiting_rows(held)
    apart = [row for row in asked.datasets.apart(held) if row.state != "taken back"]
    shown = row_documents(
        rows,
        apart,
        folder=asked.settings.models / asked.model,
        environ=asked.settings.environ,
        limit=asked.words.limit,
    )
    lines = [(each["number"], each["state"], "; ".join(each["reasons"]), *each["row"].values()) for each in shown]
    more = "" if len(shown) == held.rows else f"\n\n{held.rows - len(shown)} more; --limit shows them."
    counted = reason_lines(apart)
    text = f"{_about(held)}\n\n{counted}{table(('ROW', 'STATE', 'REASONS', *rows.column_names), lines)}{more}"
    return Answer(document={**document(held), "shown": shown}, text=text, exit=Exit.DONE)


def _release(asked: _Asked) -> Answer:
    held = asked.held
    done = release(asked.datasets, asked.ledger, held, asked.cause, asked.choice)
    rows = done.partition.rows if done.partition else None
    text = (
        f"{asked.model}: {done.rows} rows of partition {held.key} were taken back in, {rows} are in it now; they "
        f"count as passed, and the ledger says by whom.{_left(done)} Clear the tasks that were refused, or trigger its "
        "deployment."
    )
    return _decided(asked, held, text, done="waived", rows=rows, left=done.left)


def _discard(asked: _Asked) -> Answer:
    held = asked.held
    done = discard(asked.datasets, asked.ledger, held, asked.cause, asked.choice)
    what = f"partition {held.key}" if held.is_whole else f"{done.rows} rows of partition {held.key}"
    if held.is_whole and held.rows is None:
        stays = "Nobody could read it, so nothing takes it back in; land a corrected one if there is to be any."
    else:
        stays = (
            f"What there is of it stays in {held.uri}, and `flightworthy quarantine release` still takes it back in."
        )
    text = f"{asked.model}: {what} given up; nothing waits for it any more.{_left(done)}{_stands(asked, held)} {stays}"
    return _decided(asked, held, text, done="discarded", rows=done.rows, left=done.left)


def _stands(asked: _Asked, held: Quarantined) -> str:
    """What there is to learn for the interval of a partition that was given up whole."""
    if not held.is_whole:
        return ""
    stands = asked.datasets.current(asked.model).get(held.key)
    if stands is None:
        return " Its interval has no data until another content of it lands or is taken back in."
    return f" Its content {stands.digest[:12]} of {stands.rows} rows stands, and is learnt from."


def _left(done: Decided) -> str:
    return f" {done.left} rows still wait." if done.left else ""


def _hold(asked: _Asked) -> Answer:
    held = hold(asked.datasets, asked.ledger, asked.model, asked.words.key, asked.cause)
    text = (
        f"{asked.model}: partition {held.key} waits in quarantine; nobody learns from it, nor from a window "
        "that holds it. "
        f"`flightworthy status {asked.model}` says which releases were trained on it."
    )
    return _decided(asked, held, text, done="held", rows=held.rows, left=0)


def _decided(asked: _Asked, held: Quarantined, text: str, *, done: str, rows: int | None, left: int) -> Answer:
    said = {"model": asked.model, "key": held.key, "digest": held.digest, "done": done, "rows": rows, "left": left}
    return Answer(document=said, text=text, exit=Exit.DONE)


def _about(held: Quarantined) -> str:
    said = {
        "partition": held.key,
        "digest": held.digest,
        "waits": f"all of its {held.rows} rows" if held.is_whole else f"{held.waiting} of its rows",
        "since (UTC)": when(held.quarantined_at),
        "reason": held.reason,
        "kept in": held.uri,
    }
    if held.rows is None:
        del said["waits"]
    if held.kept is not None:
        said["goes on"] = f"with {held.kept.rows} rows; {held.given_up} given up, {len(held.returned)} taken back in"
    if held.discarded is not None:
        said["given up"] = f"by {held.discarded.actor} at {when(held.discarded.at)} UTC: {held.discarded.reason}"
    return facts(said)


def document(held: Quarantined) -> dict[str, Any]:
    """One thing that waits, as JSON types."""
    return {
        "key": held.key,
        "digest": held.digest,
        "reason": held.reason,
        "objections": list(held.objections),
        "at": instant(held.quarantined_at),
        "uri": held.uri,
        "rows": held.rows,
        "waiting": held.waiting,
        "given_up": held.given_up,
        "taken_back": len(held.returned),
        "whole": held.is_whole,
        "discarded": discard_document(held.discarded),
    }


_VERBS: Mapping[str, Callable[[_Asked], Answer]] = {
    "list": _list,
    "show": _show,
    "release": _release,
    "discard": _discard,
    "hold": _hold,
}
