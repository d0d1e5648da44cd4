"""``python -m flightworthy.deployer [--stop-all]``: the daemon alone, settings from the environment."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from flightworthy.deployer.daemon import run, stop_all
from flightworthy.deployer.settings import Settings
from flightworthy.errors import FlightworthyError


def main(argv: list[str] | None = None) -> int:
    """Deploy, or stop all; 1 where that is refused."""
    parser = argparse.ArgumentParser(prog="python -m flightworthy.deployer", description=__doc__)
    parser.add_argument("--stop-all", action="store_true", help="end the deployer, the router and all model servers")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s level=%(levelname)s %(message)s", stream=sys.stderr)
    settings = Settings.from_environ(os.environ, Path.cwd())
    try:
        if options.stop_all:
            stop_all(settings)
            return 0
        return run(settings)
    except FlightworthyError as error:
        logging.getLogger(__name__).critical("refused reason=%s", error.message)
        return 1


if __name__ == "__main__":
    sys.exit(main())
