"""The documents about a packaged version: whole, true to what they are given, and the same each time."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from flightworthy.artifact import canonical, seal
from flightworthy.baseline import Worth
from flightworthy.evaluation import Estimate
from flightworthy.image import (
    Byproduct,
    Facts,
    Image,
    Origin,
    Wheel,
    bill_of_materials,
    keep_document,
    lay_out,
    provenance,
    read_context,
)

ORIGIN = Origin(
    model="fraud",
    version="3",
    release="fraud-3-aaaaaaaa",
    artifact_digest="a" * 64,
    dataset_digest="d" * 64,
    code_commit="c" * 40,
    lock_digest="e" * 64,
)
FACTS = Facts(
    origin=ORIGIN,
    owner="payments",
    description="Finds payments that their owner did not make",
    target="is_fraud",
    features={"amount": "number", "country": "category"},
    params={"C": "1.0"},
    seed="7",
    metrics={"roc_auc": 0.9, "log_loss": 0.25},
    worth=Worth(
        metrics={"roc_auc": Estimate(value=0.88, low=0.85, high=0.91)},
        baseline="amount alone",
        baseline_metrics={"roc_auc": Estimate(value=0.71, low=0.66, high=0.75)},
    ),
    code_digest="b" * 64,
    config_digest="f" * 64,
    intent="new_data",
    run_id="run-1",
    airflow_run_id="manual__1",
)
WHEELS = [
    Wheel(name="numpy", version="2.4.6", file="numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl", sha256="1" * 64),
    Wheel(name="msgspec", version="0.22.0+local", file="msgspec.whl", sha256="2" * 64),
]
IMAGE = Image(
    digest="sha256:" + "9" * 64,
    tag="flightworthy/fraud:3",
    labels={"org.opencontainers.image.base.digest": "sha256:" + "8" * 64},
    reused=False,
)


def valid(document: Any) -> None:
    """Against the schema of CycloneDX 1.6, by its own strict validator."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None


def test_the_bill_of_materials_is_valid_and_names_the_model_with_its_card() -> None:
    """A model with its data, measures and parameters, and each package with purl and hash."""
    bill = bill_of_materials(FACTS, WHEELS)
    valid(bill)
    model, data, *packages = bill["components"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "fraud", "3")
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    assert data["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    measured = card["quantitativeAnalysis"]["performanceMetrics"]
    assert {found["type"]: found["value"] for found in measured if found["slice"] == "validation"} == {
        "roc_auc": "0.9",
        "log_loss": "0.25",
    }
    assert card["considerations"]["useCases"] == [FACTS.description]
    properties = {found["name"]: found["value"] for found in model["properties"]}
    assert properties["io.flightworthy:code-commit"] == "c" * 40
    assert properties["io.flightworthy:param:C"] == "1.0"
    assert [(found["purl"], found["hashes"][0]["content"][0]) for found in packages] == [
        ("pkg:pypi/msgspec@0.22.0%2Blocal", "2"),
        ("pkg:pypi/numpy@2.4.6", "1"),
    ]


def test_the_card_shows_what_the_model_adds_to_one_feature() -> None:
    """Both on the holdout and with their intervals; of the baseline also which feature it is."""
    (model, *_) = bill_of_materials(FACTS, WHEELS)["components"]
    measured = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert [found for found in measured if found["slice"] == "holdout"] == [
        {
            "type": "roc_auc", "value": "0.88", "slice": "holdout",
            "confidenceInterval": {"lowerBound": "0.85", "upperBound": "0.91"},
        },
        {
            "type": "roc_auc of the baseline: amount alone", "value": "0.71", "slice": "holdout",
            "confidenceInterval": {"lowerBound": "0.66", "upperBound": "0.75"},
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, metrics={}, worth=None, params={}, description="", seed="", code_digest="", config_digest=""),
        replace(FACTS, origin=replace(ORIGIN, dataset_digest="", code_commit="", lock_digest="")),
    ],
    ids=["run deleted", "nothing on record"],
)
def test_what_is_not_known_is_left_out_and_the_bill_stays_valid(facts: Facts) -> None:
    """Neither an empty string nor a guess stands for it; nor a hash where no wheel was collected."""
    bill = bill_of_materials(facts, [Wheel(name="numpy", version="2.4.6", file="", sha256="")])
    valid(bill)
    assert '""' not in json.dumps(bill)
    assert "hashes" not in bill["components"][-1]


def test_the_validator_would_have_noticed() -> None:
    """A model card at a library is no CycloneDX."""
    bill = bill_of_materials(FACTS, WHEELS)
    bill["components"][0]["modelCard"]["invented"] = True
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is not None


def test_documents_depend_on_their_inputs_alone() -> None:
    """The same facts, in whatever order, give the same bytes; no time is in them; another fact, another serial."""
    one, two = bill_of_materials(FACTS, WHEELS), bill_of_materials(FACTS, reversed(WHEELS))
    other = bill_of_materials(replace(FACTS, seed="8"), WHEELS)
    assert canonical(one) == canonical(two)
    assert one["serialNumber"] != other["serialNumber"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one["serialNumber"])
    assert not re.search(r"20\d\d-\d\d-\d\d", json.dumps([one, statement()]))


def statement(facts: Facts = FACTS, image: Image | None = IMAGE) -> dict[str, Any]:
    byproduct = Byproduct(name="bom.cdx.json", sha256="7" * 64)
    return provenance(facts, context_digest="6" * 64, image=image, byproduct=byproduct)


def dependencies(found: dict[str, Any]) -> dict[str, Any]:
    listed = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {each["name"]: each["digest"] for each in listed}


def test_provenance_says_what_an_image_was_made_from() -> None:
    """An in-toto statement with SLSA's predicate: image and artifact, and every input by its digest."""
    found = statement()
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [subject["digest"]["sha256"][0] for subject in found["subject"]] == ["a", "9"]
    assert dependencies(found) == {
        "dataset": {"sha256": "d" * 64},
        "code of the model's folder": {"sha256": "b" * 64},
        "requirements.lock": {"sha256": "e" * 64},
        "model.yaml": {"sha256": "f" * 64},
        "checkout of the models": {"gitCommit": "c" * 40},
        "base image": {"sha256": "8" * 64},
    }
    definition, details = found["predicate"]["buildDefinition"], found["predicate"]["runDetails"]
    assert definition["externalParameters"]["params"] == {"C": "1.0"}
    assert details["metadata"] == {"invocationId": "manual__1"}
    assert details["byproducts"] == [{"name": "bom.cdx.json", "digest": {"sha256": "7" * 64}}]
    assert definition["buildType"]
    assert details["builder"]["id"]


def test_provenance_without_an_image_is_about_the_artifact() -> None:
    """A release that runs as a process has no image and no base image."""
    found = statement(image=None)
    assert [subject["digest"]["sha256"] for subject in found["subject"]] == ["a" * 64]
    assert "base image" not in dependencies(found)


def test_a_commit_with_edits_is_told_as_such_and_none_is_left_out() -> None:
    """What no commit holds must not look as if one did."""
    changed = statement(replace(FACTS, origin=replace(ORIGIN, code_commit="c" * 40 + "+changed")))
    listed = changed["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each.get("annotations") for each in listed if each["name"] == "checkout of the models"] == [
        {"changed": True}
    ]
    assert "checkout of the models" not in dependencies(
        statement(replace(FACTS, origin=replace(ORIGIN, code_commit="")))
    )


def test_documents_lie_beside_a_context_and_change_nothing_in_it(tmp_path: Path) -> None:
    """Its digest is the same before and after, and it remembers where it came from."""
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "model.skops").write_bytes(b"weights")
    seal(tmp_path / "artifact")
    context = lay_out(tmp_path / "context", artifact=tmp_path / "artifact", requirements="", origin=ORIGIN)
    keep_document(context, "bom.cdx.json", b"{}")
    keep_document(context, "bom.cdx.json", b"[]")
    assert read_context(context.folder).digest == context.digest
    assert [path.name for path in context.documents.iterdir()] == ["bom.cdx.json"]
    assert (context.documents / "bom.cdx.json").read_bytes() == b"[]"
    assert context.origin == ORIGIN
