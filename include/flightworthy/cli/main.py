"""The command line's grammar, and what every command has in common: ``--json``, errors and exit codes.

Each command's module is imported when it is called: a rollback must not wait for pandas.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from flightworthy.cli.answers import Answer, Exit, document_of, exit_of
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, instant, numbers, seconds
from flightworthy.errors import FlightworthyError, Unavailable

__all__ = ["COMMANDS", "main", "parser"]

_EPILOG = """\
exit codes:
  0  done
  1  refused: asking again gives the same answer; the reason is on stderr
  2  usage: the command line is not understood
  3  unavailable: something that should answer did not; try again
  4  conflict: another decision was made first

environment:
  FLIGHTWORTHY_HOME      where datasets, releases and reports are (default .flightworthy)
  FLIGHTWORTHY_DATABASE  the release database (default sqlite:///<home>/flightworthy.db)
  FLIGHTWORTHY_MODELS    the models' folders (default include/models)
"""

COMMANDS = {
    "validate": "check model.yaml, suite.yaml and train.py; list everything that is wrong",
    "suggest-suite": "profile real partitions into a first suite.yaml, for you to edit",
    "new": "make a model: a folder that passes its own tests",
    "status": "show what serves, what wants to, and what was refused",
    "history": "show every decision about a model, and whether the ledger holds",
    "ledger": "prove that no decision was changed, or export them all for an auditor",
    "rollback": "serve the previous release again",
    "quarantine": "show what was refused and why; take it back in, give it up, or refuse more",
    "revisions": "show what came late or corrected, and what of it the champion has not learnt from",
    "arrivals": "show what has landed, and which run took it; let a failed one wait again",
    "reproduce": "train a version again from what was recorded, and say whether it is the same",
    "diff": "show what differs between two versions: data, parameters, code, packages, metrics, decision",
    "backtest": "show what the versions of past intervals were worth, and against whom",
    "erase": "take a person out of partitions and prediction log, and list what learnt from them",
    "prune": "throw away what retention lets go: images, folders and versions that nobody needs",
    "compact": "turn finished files of the prediction log into Parquet, a folder for each day",
    "database": "make or upgrade the tables of the release database, or look at them",
    "deployer": "run the daemon that serves the models and steers the traffic",
}


class _Parser(argparse.ArgumentParser):
    """Says usage errors as JSON too, for a program that asked for JSON."""

    def error(self, message: str) -> NoReturn:
        if "--json" in sys.argv[1:]:
            _print({"error": {"kind": "Usage", "exit": int(Exit.USAGE), "message": message, "facts": {}}})
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    whole = _Parser(
        prog="flightworthy",
        description="The release plane for models on Apache Airflow.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=summary, epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        _ARGUMENTS[name](command)
    return whole


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    asked = parser().parse_args(words)
    try:
        settings = Settings.of(os.environ, Path.cwd())
        answer: Answer = importlib.import_module(f"flightworthy.cli.{asked.command.replace('-', '_')}").run(
            asked, settings
        )
    except FlightworthyError as error:
        return _fail(error, asked)
    except OSError as error:
        return _fail(
            Unavailable(f"{error.filename or 'the system'}: {error.strerror or error}", errno=error.errno), asked
        )
    except KeyboardInterrupt:
        return 130
    return _tell(answer, as_json=asked.json)


def _fail(error: FlightworthyError, asked: argparse.Namespace) -> int:
    if asked.json:
        _print(document_of(error))
    print(f"flightworthy {asked.command}: {error.message}", file=sys.stderr)
    return exit_of(error)


def _tell(answer: Answer, *, as_json: bool) -> int:
    try:
        if as_json:
            _print(answer.document)
        elif answer.text:
            print(answer.text)
        sys.stdout.flush()
    except BrokenPipeError:
        # `flightworthy history diagnosis | head`: nobody reads on, which is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.exit


def _print(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON document, errors too")


def _validate(command: argparse.ArgumentParser) -> None:
    command.add_argument("models", nargs="*", metavar="MODEL", help="names of models; all of them if none is given")
    _json(command)


def _suggest_suite(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument(
        "--partitions", type=count, default=12, metavar="N", help="the newest N partitions (default 12)"
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="write it into this file (default: print it)")
    _json(command)


def _new(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="lower-case letters and digits, with single - or _ between")
    _json(command)


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    _json(command)


def _history(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--limit", type=count, metavar="N", help="only the newest N decisions")
    command.add_argument(
        "--at", type=instant, metavar="TIME",
        help='what served at that time, and why: "2026-11-24 14:03", UTC unless it names an offset',
    )  # fmt: skip
    _json(command)


def _ledger(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    verify = verbs.add_parser("verify", help="find any entry or evidence that was changed, removed, added or moved")
    verify.add_argument("file", nargs="?", type=Path, metavar="FILE", help="an export; no database is asked")
    verify.add_argument(
        "--against", type=Path, metavar="FILE", help="an earlier export, of which every entry must still be there"
    )
    _json(verify)
    export = verbs.add_parser("export", help="write every entry with its evidence, a line of JSON each")
    export.add_argument("--output", type=Path, metavar="FILE", help="write into this file (default: to stdout)")
    _json(export)


def _rollback(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--reason", required=True, help="why; it is written into the ledger")
    command.add_argument("--to", metavar="RELEASE", help="a release that served before (default: the previous one)")
    command.add_argument(
        "--wait", type=seconds, default=30.0, metavar="SECONDS",
        help="how long to wait until the traffic has moved (default 30; 0 writes the decision and leaves)",
    )  # fmt: skip
    _json(command)


def _quarantine(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    listing = verbs.add_parser("list", help="show every refused partition with the reason")
    listing.add_argument("model", metavar="MODEL")
    _json(listing)
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
        _json(one)


def _revisions(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    _json(command)


def _arrivals(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    listing = verbs.add_parser("list", help="show the newest partitions, how far each has come, and in which run")
    listing.add_argument("model", metavar="MODEL")
    listing.add_argument("--limit", type=count, default=20, metavar="N", help="only the newest N (default 20)")
    _json(listing)
    again = verbs.add_parser("again", help="let a partition whose run failed wait for another run")
    again.add_argument("model", metavar="MODEL")
    again.add_argument("partition", metavar="PARTITION", help="its key")
    _json(again)


def _reproduce(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("version", type=count, metavar="VERSION", help="the number of the version in MLflow")
    command.add_argument(
        "--environment", choices=("recorded", "current"), default="recorded",
        help="whose packages: those of the recorded lock, installed anew where they differ (default), or those of now",
    )  # fmt: skip
    _json(command)


def _diff(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("one", type=count, metavar="V1")
    command.add_argument("other", type=count, metavar="V2")
    _json(command)


def _backtest(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--from", dest="since", metavar="KEY", help="the first interval, by its partition key")
    command.add_argument("--to", dest="until", metavar="KEY", help="the last one; 1995 is all of its months")
    _json(command)


def _prune(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    command.add_argument("--dry-run", action="store_true", help="only say what would go, and why")
    _json(command)


def _erase(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument(
        "--entity",
        required=True,
        metavar="ID",
        help="the id as the source and requests write it; - reads it from stdin",
    )
    command.add_argument("--reason", required=True, help="why, without naming anybody; it is written into the ledger")
    command.add_argument("--dry-run", action="store_true", help="only say what would go, and who learnt from it")
    command.add_argument(
        "--connection", metavar="CONN_ID",
        help="take the key of the pseudonyms from this Airflow connection, as tasks do (default: from the environment)",
    )  # fmt: skip
    _json(command)


def _compact(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    _json(command)


def _database(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for verb, summary in (
        ("upgrade", "bring the tables to the form that this version uses; without it whoever comes first does"),
        ("check", "say whether they have it, and change nothing (exit code 1 if not)"),
    ):
        _json(verbs.add_parser(verb, help=summary, description=summary))


def _deployer(command: argparse.ArgumentParser) -> None:
    command.add_argument("--stop-all", action="store_true", help="end the deployer, its router and its model servers")
    _json(command)


_ARGUMENTS = {
    "validate": _validate,
    "suggest-suite": _suggest_suite,
    "new": _new,
    "status": _status,
    "history": _history,
    "ledger": _ledger,
    "rollback": _rollback,
    "quarantine": _quarantine,
    "revisions": _revisions,
    "arrivals": _arrivals,
    "reproduce": _reproduce,
    "diff": _diff,
    "backtest": _backtest,
    "erase": _erase,
    "prune": _prune,
    "compact": _compact,
    "database": _database,
    "deployer": _deployer,
}

if __name__ == "__main__":
    sys.exit(main())
