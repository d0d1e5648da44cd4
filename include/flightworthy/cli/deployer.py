"""``flightworthy deployer``: the daemon that makes servers and router equal to the rows, in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("--stop-all", action="store_true", help="end the deployer, its router and its model servers")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Deploy until SIGTERM or Ctrl-C, or end everything that a deployer of this folder started."""
    from flightworthy.deployer import daemon
    from flightworthy.deployer.settings import Settings as DeployerSettings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s level=%(levelname)s %(message)s", stream=sys.stderr)
    own = DeployerSettings.from_environ(settings.environ, Path.cwd())
    if asked.stop_all:
        daemon.stop_all(own)
        return Answer(document={"home": str(own.home), "stopped": True}, text=f"stopped in {own.home}", exit=Exit.DONE)
    return Answer(document={"home": str(own.home)}, text="", exit=Exit(daemon.run(own)))
