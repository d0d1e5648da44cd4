"""The server as its users meet it: a process, a port, signals."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from flightworthy.artifact import seal
from flightworthy.serving.__main__ import main
from tests.flightworthy.serving.making import golden_rows
from tests.flightworthy.serving.running import ENVIRON, HEAD, free_port, health, options, serving


def test_a_stop_is_announced_and_loses_no_request(fraud: Path, tmp_path: Path) -> None:
    """SIGTERM: /healthz says 503 at once, a request half sent is still answered and logged, the exit code is 0."""
    rows, predictions = golden_rows(fraud)
    body = json.dumps({"instances": rows[:1]}).encode()
    with serving(fraud, "--predictions", str(tmp_path), "--drain-seconds", "0.5") as (process, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(HEAD + f"content-length: {len(body)}\r\n\r\n".encode() + body[:10])
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            assert health(port) == 503
            time.sleep(0.7)
            client.sendall(body[10:])
            answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"predictions": pytest.approx(predictions[:1])}
        assert process.wait(timeout=15) == 0
    logged = [line for path in (tmp_path / "fraud").iterdir() for line in path.read_text().splitlines()]
    assert [json.loads(line)["features"] for line in logged] == rows[:1]


def test_a_chunked_flood_is_cut_off(fraud: Path) -> None:
    """A body without a length is counted as it comes: 413, and the connection is closed under the sender."""
    with serving(fraud) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 64 << 20:
                client.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
        assert sent < 64 << 20
        assert health(port) == 200


@pytest.mark.parametrize("damage", ["flip", "add", "remove"])
def test_a_damaged_artifact_is_refused_before_it_is_loaded(
    fraud: Path, tmp_path: Path, capfd: Any, damage: str
) -> None:
    """A flipped byte, an added file, a removed file: exit code 3, and the file's name on stderr."""
    copy = tmp_path / "model"
    shutil.copytree(fraud, copy)
    if damage == "flip":
        content = bytearray((copy / "model.skops").read_bytes())
        content[100] ^= 1
        (copy / "model.skops").write_bytes(content)
    elif damage == "add":
        (copy / "model.pkl").write_bytes(b"")
    else:
        (copy / "golden.json").unlink()
    assert main(options(copy, free_port())) == 3
    named = {"flip": "model.skops", "add": "model.pkl", "remove": "golden.json"}[damage]
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["file"] == named


def test_another_model_s_artifact_is_refused(diagnosis: Path, capfd: Any) -> None:
    """A server that is told to be fraud does not answer with diagnosis."""
    assert main(options(diagnosis, free_port())) == 3
    assert "is an artifact of diagnosis" in capfd.readouterr().err


def test_the_server_needs_no_airflow_no_mlflow_and_no_pandas(fraud: Path) -> None:
    """It scores with all of them made impossible to import, as they are in its container."""
    program = f"""
import sys
absent = ("airflow", "mlflow", "pandas", "pyarrow", "pydantic", "sqlalchemy", "requests", "docker")
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import flightworthy.serving.__main__
from pathlib import Path
from typing import Any
from flightworthy.serving.scoring import load_scorer
assert load_scorer(Path({str(fraud)!r})).warm_up() is None
present = set(absent).intersection(sys.modules) | {{name for name in sys.modules if "flightworthy_airflow" in name}}
assert not present, present
"""
    subprocess.run([sys.executable, "-c", program], env=ENVIRON, check=True, timeout=60)


def test_personal_columns_need_a_key_and_reach_the_log_as_pseudonyms(
    fraud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the key the server says which setting is missing and does not start; with it no identifier is written."""
    artifact = shutil.copytree(fraud, tmp_path / "personal")
    contract = json.loads((artifact / "contract.json").read_text())
    contract["entity_is_personal"] = True
    next(each for each in contract["features"] if each["name"] == "country")["personal"] = {"way": "pseudonym"}
    (artifact / "contract.json").write_text(json.dumps(contract))
    seal(artifact)
    log = tmp_path / "log"
    for name in ("FLIGHTWORTHY_PSEUDONYM_KEY", "FLIGHTWORTHY_PSEUDONYM_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main(options(artifact, free_port(), "--predictions", str(log))) == 3
    assert "FLIGHTWORTHY_PSEUDONYM_KEY_FILE" in capsys.readouterr().err
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef")
    rows, _ = golden_rows(artifact)
    environ = {**ENVIRON, "FLIGHTWORTHY_PSEUDONYM_KEY_FILE": str(tmp_path / "key")}
    with serving(artifact, "--predictions", str(log), environ=environ) as (process, port):
        headers = {"x-entity-id": "patient-4711"}
        asked = {"dataframe_records": rows[:1]}
        assert requests.post(f"http://127.0.0.1:{port}/invocations", json=asked, headers=headers, timeout=10).ok
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    (line,) = [json.loads(text) for path in log.rglob("*.jsonl") for text in path.read_text().splitlines()]
    assert re.fullmatch("[0-9a-f]{32}", line["entity"])
    assert re.fullmatch("[0-9a-f]{32}", line["features"]["country"])
    assert line["features"]["amount"] == rows[0]["amount"]
