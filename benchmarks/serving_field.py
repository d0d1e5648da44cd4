"""The servers of one model, all of them up and proven to answer the same, ready to be loaded one at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.peer_environments import python_of
from benchmarks.server_process import ServerProcess, post
from benchmarks.serving_cells import Cell, Sample, sample, seconds_for
from benchmarks.serving_material import Material
from benchmarks.serving_peers import LIMIT, OURS, Peer, Start
from benchmarks.wrk import NotMeasured, Target, load
from flightworthy.deployer.servers import free_port

SAME_WITHIN = 1e-6
"""How far two servers' predictions may lie apart: what single precision costs, and no label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Where things run: servers on one core, whatever asks them on another; None where there is only one."""

    server: int | None
    asker: int | None

    @classmethod
    def of_this_machine(cls) -> Self:
        """The first two cores that this process may use."""
        mine = sorted(os.sched_getaffinity(0))
        return cls(server=mine[0], asker=mine[1]) if len(mine) > 1 else cls(server=None, asker=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers. ``targets``: what is posted to it, by the number of rows."""

    peer: Peer
    server: ServerProcess
    start: Start
    first_answer_s: float
    targets: Mapping[int, Target]


@dataclass(slots=True)
class Field:
    """Use as a context: the servers end with it. ``absent``: which are not in it, and why."""

    material: Material
    folder: Path
    cores: Cores
    running: dict[str, Running] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, peers: Sequence[Peer], rows: Sequence[int]) -> None:
        """Start them one after the other, each timed alone, then hold their answers against the fitted estimator's."""
        for peer in peers:
            if peer.name == OURS and (refusal := self.material.refusal) is not None:
                self.absent[peer.name] = f"cannot be packaged yet: {refusal}"
                continue
            try:
                self.running[peer.name] = self.add(peer, rows)
            except NotMeasured as error:
                self.absent[peer.name] = str(error)

    def add(self, peer: Peer, rows: Sequence[int], *, named: str | None = None, keeps_log: bool = True) -> Running:
        """Start one more server; ``named`` sets its folder apart from another of its kind. Raises NotMeasured."""
        folder = self.folder / (named or peer.name).replace(" ", "_")
        folder.mkdir(parents=True)
        python = python_of(peer.environment)
        start = Start(material=self.material, port=free_port(), folder=folder, python=python, keeps_log=keeps_log)
        targets = self._targets(peer, start, rows)
        command = peer.command(start)
        server = self._stack.enter_context(
            ServerProcess(command, environ=start.environ, log=folder / "log", core=self.cores.server, cwd=folder)
        )
        seconds = server.first_answer(lambda: post(targets[rows[0]]))
        running = Running(peer=peer, server=server, start=start, first_answer_s=seconds, targets=targets)
        self._verify(running)
        for target in targets.values():
            load(target, connections=1, seconds=1)  # the first requests of all find nothing warm
        return running

    def round(self, cell: Cell, seconds: Mapping[str, int]) -> tuple[dict[str, Sample], dict[str, str]]:
        """Load each server once; samples, and the reasons why there is none, by name."""
        samples, failed = {}, {}
        for name, each in self.running.items():
            if name not in seconds:
                continue
            try:
                samples[name] = sample(
                    each.server, each.targets[cell.rows], connections=cell.connections, seconds=seconds[name]
                )
            except NotMeasured as error:
                failed[name] = str(error)
            each.server.settle()
        return samples, failed

    def seconds(self, cell: Cell) -> dict[str, int]:
        """For how long each server is loaded in a cell. The limit knows one row only."""
        return {
            name: seconds_for(each.targets[cell.rows], cell.connections)
            for name, each in self.running.items()
            if cell.rows in each.targets
        }

    def _targets(self, peer: Peer, start: Start, rows: Sequence[int]) -> Mapping[int, Target]:
        url = f"http://127.0.0.1:{start.port}{peer.path(self.material.model)}"
        targets = {}
        for count in rows if peer.name != LIMIT else rows[:1]:
            body = start.folder / f"{count}.json"
            body.write_text(json.dumps(peer.body(self.material.asked(count)[0])), encoding="utf-8")
            targets[count] = Target(url=url, body=body)
        return targets

    def _verify(self, running: Running) -> None:
        for count, target in running.targets.items():
            found = running.peer.read(json.loads(post(target)))
            expected = self.material.asked(count)[1] if running.peer.name != LIMIT else []
            # Written so that NaN, which compares false with everything, is not the same.
            same = sum(abs(mine - fitted) <= SAME_WITHIN for mine, fitted in zip(found, expected, strict=False))
            if not len(found) == len(expected) == same:
                raise NotMeasured(f"of {len(expected)} predictions only {same} are those of the fitted estimator")
