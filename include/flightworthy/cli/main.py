"""The command line: its commands, and what all of them have in common, which is errors, exit codes and how to answer.

A command's arguments and what it does are in the module of its name, imported when it is called: a rollback must not
wait for pandas.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from flightworthy.cli.answers import Answer, Exit, document_of, exit_of
from flightworthy.cli.settings import Settings
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


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The grammar, as far as these words need it: only the command that they name is imported for its arguments."""
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
        if name in words[:1]:
            _module_of(name).arguments(command)
    return whole


def _module_of(command: str) -> ModuleType:
    """What a command's module has: ``arguments``, which adds them to a parser, and ``run``."""
    return importlib.import_module(f"flightworthy.cli.{command.replace('-', '_')}")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if words is None else words
    asked = parser(words).parse_args(words)
    try:
        answer: Answer = _module_of(asked.command).run(asked, Settings.of(os.environ, Path.cwd()))
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


if __name__ == "__main__":
    sys.exit(main())
