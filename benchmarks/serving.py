"""A model's server against its peers and the limit: same model, same rows, one core each, in turn, on this machine.

``python -m benchmarks.serving`` measures everything (about twelve minutes) and publishes; ``--quick`` (one model, one
round), ``--only SERVER`` and ``--model MODEL`` print what they find and leave what is published alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import serving_lines
from benchmarks.peer_environments import HOME, python_of
from benchmarks.result import RESULTS, ROOT, Result, Row, machine, put, table
from benchmarks.serving_cells import Cell, Measured, Sample, quietest
from benchmarks.serving_field import SAME_WITHIN, Cores, Field
from benchmarks.serving_lines import CONNECTIONS, ROWS, Line
from benchmarks.serving_material import MODELS, prepare
from benchmarks.serving_more import arrow_cost, envoy_cost, log_cost, tensor_cost
from benchmarks.serving_peers import OURS, PEERS, Peer
from benchmarks.serving_plot import draw
from benchmarks.serving_rows import headline
from benchmarks.wrk import NotMeasured, missing

PLOT = ROOT / "docs" / "images" / "serving.svg"
_SCRATCH = HOME / "serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, how often, and how many of the rounds count."""

    models: Sequence[str]
    peers: Sequence[Peer]
    rounds: int
    kept: int
    is_whole: bool


@dataclass(slots=True)
class Findings:
    """What has been found so far. ``unmeasured``: what could not be, and why."""

    lines: list[Line] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    unmeasured: dict[str, str] = field(default_factory=dict)
    elsewhere: float = 0.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, publish; 0 whether the figures were reached or not, 2 where something is missing to measure with."""
    plan = _plan(_parser().parse_args(argv))
    if (reason := missing()) is not None:
        print(reason, file=sys.stderr)
        return 2
    began_at = time.monotonic()
    cores = Cores.of_this_machine()
    findings = Findings()
    peers = [peer for peer in plan.peers if _has_environment(peer, findings)]
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    if cores.asker is not None:
        # wrk and Envoy are started from here and run where this runs.
        os.sched_setaffinity(0, {cores.asker})
    materials = prepare(_SCRATCH / "models", plan.models)
    packaged = [model for model in plan.models if materials[model].refusal is None]
    for model, material in materials.items():
        with Field(material=material, folder=_SCRATCH / "servers", cores=cores) as servers:
            servers.start(peers, ROWS)
            _measure(servers, plan, findings, is_closer=model in packaged[:1])
    _say(plan, findings, cores)
    print(f"  {time.monotonic() - began_at:.0f} s", flush=True)
    return 0


def _measure(servers: Field, plan: Plan, findings: Findings, *, is_closer: bool) -> None:
    """All the cells of one model; ``is_closer``: what surrounds our server too, which is the same for each model."""
    model = servers.material.model
    cells = _rounds(servers, plan, findings)
    for name, each in servers.running.items():
        memory = each.server.memory_bytes() / 2**20
        for cell, measured in cells.items():
            if (figures := measured.figures(name)) is not None:
                line = Line.of(cell, name, figures, memory_mb=memory, first_answer_s=each.first_answer_s)
                findings.lines.append(line)
                findings.elsewhere = max(findings.elsewhere, measured.elsewhere)
    if OURS in {peer.name for peer in plan.peers}:
        findings.rows += headline(model, findings.lines)
        for cost in (tensor_cost, arrow_cost, *((log_cost, envoy_cost) if is_closer else ())):
            findings.rows += cost(servers, rounds=2 * plan.rounds - 1, kept=plan.kept)
    findings.unmeasured |= {f"{model}, {what}": why for what, why in servers.absent.items()}


def _rounds(servers: Field, plan: Plan, findings: Findings) -> dict[Cell, Measured]:
    """Round after round over all cells, so that a noisy minute does not spoil all the rounds of one."""
    cells = [Cell(servers.material.model, rows, connections) for rows in ROWS for connections in CONNECTIONS]
    seconds = {cell: servers.seconds(cell) for cell in cells}
    found: dict[Cell, list[dict[str, Sample]]] = {cell: [] for cell in cells}
    for number in range(1, plan.rounds + 1):
        for cell in cells:
            samples, failed = servers.round(cell, seconds[cell])
            found[cell].append(samples)
            said = ", ".join(f"{name} {each.load.per_second:,.0f}" for name, each in samples.items())
            print(
                f"  round {number}, {cell.model}, {cell.rows} rows, {cell.connections} connections: {said}", flush=True
            )
            findings.unmeasured |= {
                f"{cell.model}, {name}, {cell.rows} rows, {cell.connections} connections": why
                for name, why in failed.items()
            }
    return {cell: quietest(rounds, plan.kept) for cell, rounds in found.items()}


def _has_environment(peer: Peer, findings: Findings) -> bool:
    try:
        python_of(peer.environment)
    except NotMeasured as error:
        findings.unmeasured[peer.name] = str(error)
        return False
    return True


def _say(plan: Plan, findings: Findings, cores: Cores) -> None:
    """Publish the whole; print a part."""
    result = Result(name="serving", machine=machine(), rows=findings.rows, notes=notes(plan, findings, cores))
    text = serving_lines.tables(findings.lines)
    if plan.is_whole:
        result.publish()
        serving_lines.write(RESULTS / "serving.csv", findings.lines)
        draw(PLOT, findings.lines)
        put("serving", f"![Requests a second of each server](images/{PLOT.name})\n\n{text}")
    else:
        print(f"\n{table([result])}\n", *result.notes, sep="\n  ")
    print(f"\n{text}\n")


def notes(plan: Plan, findings: Findings, cores: Cores) -> list[str]:
    """What a reader must know to judge the figures."""
    pinned = (
        "One worker each. Each server ran on one core, wrk (one thread) on another; Envoy shares wrk's core."
        if cores.server is not None
        else "There is one core, which servers and wrk shared."
    )
    same = (
        "The same rows for all, as MLflow's dataframe_split; MLServer gets them as one V2 tensor, its shortest way. "
        f"Every server's answers were the fitted estimator's within {SAME_WITHIN:g} before anything was measured."
    )
    whole = "Ours ran with everything on: contract, prediction log, metrics, request ids. OMP_NUM_THREADS=1 for all."
    quiet = (
        f"The medians of the {plan.kept} quietest of {plan.rounds} interleaved rounds; in those, whatever was not "
        f"measured had at most {100 * findings.elsewhere:.0f} % of the machine, the other servers, at rest, among it."
    )
    return [pinned, same, whole, quiet] + [
        f"Not measured: {what}: {_one_line(why)}" for what, why in findings.unmeasured.items()
    ]


def _one_line(why: str) -> str:
    return " ".join(why.split())[:300].replace(str(ROOT), "")


def _plan(options: argparse.Namespace) -> Plan:
    peers = [peer for peer in PEERS if options.only in (None, peer.name)]
    if options.quick or options.only:
        return Plan(models=[options.model or "logistic_regression"], peers=peers, rounds=1, kept=1, is_whole=False)
    models = MODELS if options.model is None else (options.model,)
    return Plan(models=models, peers=peers, rounds=3, kept=2, is_whole=options.model is None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one model, one round; publishes nothing")
    parser.add_argument("--only", choices=[peer.name for peer in PEERS], help="one server; publishes nothing")
    parser.add_argument("--model", choices=MODELS, help="one model; publishes nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
