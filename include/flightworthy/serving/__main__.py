"""``python -m flightworthy.serving``: verify an artifact, load it, serve it until SIGTERM."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from time import monotonic
from types import FrameType

import uvicorn

from flightworthy.errors import ArtifactRefused, Refused
from flightworthy.personal import KEY, KEY_FILE, read_keys
from flightworthy.serving.app import AccessLog, Limits, Service, create_app
from flightworthy.serving.confinement import confine
from flightworthy.serving.contract import Contract
from flightworthy.serving.events import say
from flightworthy.serving.observed import Identity
from flightworthy.serving.prediction_log import PredictionLog
from flightworthy.serving.scoring import Scorer, load_scorer
from flightworthy.serving.wire import guarded

__all__ = ["main"]

EXIT_REFUSED = 3


class DrainingServer(uvicorn.Server):
    """On SIGTERM says 503 on /healthz, goes on answering for ``drain_seconds``, then finishes what is in flight."""

    def __init__(self, config: uvicorn.Config, service: Service, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._exit_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; a second signal stops waiting."""
        self._service.drain()
        now = monotonic()
        self._exit_at = now if self._exit_at is not None else now + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, see whether the time to drain is over."""
        if self._exit_at is not None and monotonic() >= self._exit_at:
            self.should_exit = True
        return await super().on_tick(counter)


def main(argv: list[str] | None = None) -> int:
    """Serve; returns 0 after a graceful stop, 3 when the artifact is refused.

    Run as a program, with the command line's arguments, the process confines itself before it reads the artifact.
    """
    options = _parser().parse_args(argv)
    try:
        keys = read_keys(os.environ)  # before confinement, which leaves no way to the file
    except Refused as error:
        say("refused", message=error.message, **error.facts)
        return EXIT_REFUSED
    if argv is None:
        log = options.predictions and options.predictions / options.model
        confined = confine(artifact=options.artifact, predictions=log, port=options.port)
        say("confined", applied=confined.applied, refused=confined.refused)
    try:
        service = _service(options, keys.current if keys else None)
    except Refused as error:
        say("refused", message=error.message, **error.facts)
        return EXIT_REFUSED
    except OSError as error:
        say("refused", message=f"No prediction log: {error}. Make its folder writable for this user.")
        return EXIT_REFUSED
    config = uvicorn.Config(
        create_app(service),
        host=options.host,
        port=options.port,
        loop="uvloop",
        http=guarded(head_seconds=options.header_seconds),
        ws="none",
        lifespan="on",
        access_log=False,
        # Its warnings are of requests that it cannot read; those are answered, and not worth a line each.
        log_level="error",
        server_header=False,
        # Longer than a router keeps an idle connection, so that it is the router that closes it.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    # What was loaded stays; looking through it for garbage would hold up a request for tens of milliseconds.
    gc.collect()
    gc.freeze()
    DrainingServer(config, service, drain_seconds=options.drain_seconds).run()
    return 0


def _service(options: argparse.Namespace, key: bytes | None) -> Service:
    scorer = load_scorer(options.artifact, digest=options.digest, key=key)
    if scorer.contract.model not in {"", options.model}:
        raise ArtifactRefused(
            f"{options.artifact} is an artifact of {scorer.contract.model}, not of {options.model}. "
            "Start the server with the model and the artifact of one release.",
            expected=options.model,
            found=scorer.contract.model,
        )
    _see_key(scorer.contract, options)
    release = options.release or f"{options.model}-{options.version}-{scorer.digest[:8]}"
    identity = Identity(model=options.model, version=options.version, release=release, arm=options.arm)
    limits = Limits(body_bytes=options.max_body_bytes, rows=options.max_rows, body_seconds=options.body_seconds)
    log = _log(options.predictions, scorer, identity)
    return Service(scorer, identity, log=log, limits=limits, access_log=options.access_log)


def _see_key(contract: Contract, options: argparse.Namespace) -> None:
    """Refuse to score a raw value where a pseudonym was trained on, or to write a person's id."""
    if contract.treated.lacks_key or (contract.entity_is_personal and options.predictions and contract.key is None):
        raise Refused(
            f"{options.model} declares personal data, of which it was trained on pseudonyms or logs them, and there is "
            f"no key. Set {KEY_FILE} to the file of the key, or {KEY}: the same as where its partitions are taken in.",
            model=options.model,
        )


def _log(folder: Path | None, scorer: Scorer, identity: Identity) -> PredictionLog | None:
    if folder is None:
        return None
    return PredictionLog(
        folder / identity.model,
        contract=scorer.contract,
        stamp={"release": identity.release, "version": identity.version, "arm": identity.arm},
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flightworthy.serving", description=__doc__)
    add = parser.add_argument
    add("--artifact", type=Path, required=True, help="folder of the sealed model artifact")
    add("--digest", help="artifact digest that is expected; another one is refused")
    add("--model", required=True)
    add("--version", required=True, help="registered model version")
    add("--release", help="release id; made of model, version and digest if not given")
    add("--arm", help="slot of the router that this server is behind; named in answers and log")
    add("--predictions", type=Path, help="folder of the prediction log; without it nothing is logged")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8080)
    add("--max-body-bytes", type=int, default=Limits().body_bytes)
    add("--header-seconds", type=float, default=10.0, help="how long the head of a request may take; then 408")
    add("--body-seconds", type=float, default=Limits().body_seconds, help="how long its body may take; then 408")
    add("--access-log", type=AccessLog, choices=list(AccessLog), default=AccessLog.ERRORS)
    add("--max-rows", type=int, default=Limits().rows)
    add("--drain-seconds", type=float, default=1.0, help="how long to go on answering after SIGTERM")
    return parser


if __name__ == "__main__":
    sys.exit(main())
