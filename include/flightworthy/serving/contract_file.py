"""A contract as it lies in the artifact, contract.json: read whole and refused at the start where it cannot be kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from flightworthy.errors import ArtifactRefused
from flightworthy.personal import Treatment
from flightworthy.serving.contract import Contract, Feature
from flightworthy.serving.seen import Policy, Seen

__all__ = ["parse_contract"]

TYPES = ("number", "integer", "category", "boolean")
_UNSPEAKABLE = re.compile(r'["\\\x00-\x1f]')


def parse_contract(raw: Mapping[str, Any], *, key: bytes | None = None) -> Contract:
    """Read the content of a contract.json. Raises ArtifactRefused when it promises what the server cannot hold.

    ``key``: that of the pseudonyms.
    """
    output = raw.get("output")
    if not isinstance(output, Mapping) or output.get("kind") != "probability":
        raise _refusal("its output is not a probability")
    features = raw.get("features")
    if not isinstance(features, Sequence) or not features:
        raise _refusal("it names no features")
    policy = _policy(raw.get("requests", {}))
    contract = Contract(
        model=str(raw.get("model", "")),
        features=tuple(_feature(feature, policy) for feature in features),
        policy=policy,
        entity_is_personal=raw.get("entity_is_personal", False) is True,
        threshold=float(output.get("threshold", 0.5)),
        key=key,
    )
    if len(set(contract.names)) != len(contract.names):
        raise _refusal("it names a feature twice")
    watched = [feature for feature in contract.features if feature.seen is not None and feature.seen.values]
    if policy.unseen_category == "missing" and not all(feature.nullable for feature in watched):
        raise _refusal("an unseen category is to count as missing where nothing may be missing")
    return contract


def _feature(raw: Any, policy: Policy) -> Feature:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or raw.get("type") not in TYPES:
        raise _refusal(f"it holds a feature without a name or a known type: {raw!r:.200}")
    if _UNSPEAKABLE.search(raw["name"]):
        raise _refusal(f"the feature {raw['name']!r} has a quote, a backslash or a control character in its name")
    values = raw.get("values")
    if values is not None and not (values and all(isinstance(value, str) for value in values)):
        raise _refusal(f"the values of {raw['name']} are not text")
    feature = Feature(
        name=raw["name"],
        type=raw["type"],
        nullable=bool(raw.get("nullable", False)),
        values=None if values is None else tuple(values),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        personal=_treatment(raw["name"], raw.get("personal")),
    )
    return _with_seen(feature, raw.get("seen"), policy)


def _treatment(name: str, raw: Any) -> Treatment | None:
    try:
        return None if raw is None else Treatment.told(raw)
    except (ValueError, TypeError, KeyError) as error:
        raise _refusal(f"what becomes of {name}, which names a person, cannot be read") from error


def _with_seen(feature: Feature, raw: Any, policy: Policy) -> Feature:
    """What training saw becomes a bound, or is watched, or forgotten, as ``policy`` wants it."""
    if raw is None:
        return feature
    try:
        return _with_values(feature, raw, policy) if feature.type == "category" else _with_range(feature, raw, policy)
    except msgspec.ValidationError as error:
        raise _refusal(f"what training saw of {feature.name} cannot be read: {error}") from error


def _with_values(feature: Feature, raw: Any, policy: Policy) -> Feature:
    values = msgspec.convert(raw, _SeenValues).values
    if policy.unseen_category == "refuse":
        return replace(feature, values=values)
    return feature if policy.unseen_category == "accept" else replace(feature, seen=Seen(values=frozenset(values)))


def _with_range(feature: Feature, raw: Any, policy: Policy) -> Feature:
    seen = msgspec.convert(raw, _SeenRange)
    if policy.out_of_range == "refuse":
        return replace(feature, minimum=seen.minimum, maximum=seen.maximum)
    if policy.out_of_range == "accept":
        return feature
    return replace(feature, seen=Seen(minimum=seen.minimum, maximum=seen.maximum))


class _SeenRange(msgspec.Struct, forbid_unknown_fields=True):
    minimum: float
    maximum: float


class _SeenValues(msgspec.Struct, forbid_unknown_fields=True):
    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


def _policy(raw: Any) -> Policy:
    try:
        return msgspec.convert(raw, Policy)
    except msgspec.ValidationError as error:
        raise _refusal(f"its requests section is unknown to this server: {error}") from error


def _refusal(why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"contract.json cannot be served: {why}. Train and register the model again.", file="contract.json", why=why
    )
