"""The container target on a real engine: by digest, confined, on loopback only, found again by its labels."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from docker.errors import NotFound

from drill import images
from drill.rig import Rig, with_strategy
from flightworthy.adapters.docker_containers import NETWORK, DockerContainers
from flightworthy.deployer.containers import ContainerServers
from flightworthy.errors import ReleaseRefused
from flightworthy.release import Cause, Shadow, draft
from tests.flightworthy.deployer.test_drills import drilled

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CAUSE = Cause(actor="test", reason="a test", at=datetime(2026, 1, 5, tzinfo=UTC))


@pytest.fixture(scope="module")
def engine():
    try:
        with images.engine() as client:
            yield client
    except images.NoEngine as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def image(engine):
    """The tiny server in an image; its digest."""
    with images.tiny_image(engine) as digest:
        yield digest


def test_a_release_runs_as_a_confined_container_and_outlives_its_deployer(engine, image, tmp_path):
    """Promoted, left alone by a new deployer, and cleared away with the stack."""
    rig = Rig(tmp_path)
    rig.start_deployer()
    try:
        contained = replace(rig.release(1), target="container", image_digest=image)
        rig.promote(contained, within=60)
        with rig.load() as load:
            rig.kill_deployer()
            rig.start_deployer()
            rig.wait_for(lambda: load.from_release(contained) > 20, what="answers from the container")
        mine = {"io.flightworthy.home": str(tmp_path)}
        (found,) = DockerContainers().find(mine)
        told = engine.containers.get(found.id).attrs
        assert load.failed == {}
        assert told["Image"] == image
        assert told["HostConfig"]["ReadonlyRootfs"] is True
        assert told["HostConfig"]["CapDrop"] == ["ALL"]
        assert told["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
        assert told["Config"]["User"] == "10001:10001"
        assert told["HostConfig"]["PortBindings"] in (None, {})
        assert list(told["NetworkSettings"]["Networks"]) == [NETWORK]
        assert engine.networks.get(NETWORK).attrs["Internal"] is True
    finally:
        rig.close()
    assert DockerContainers().find(mine) == []


def test_an_image_that_the_engine_does_not_have_is_refused_by_its_digest(engine, tmp_path):
    """Nothing is pulled, nothing similar is run instead."""
    rig = Rig(tmp_path)
    missing = replace(rig.release(1), target="container", image_digest="sha256:" + "0" * 64)
    with pytest.raises(ReleaseRefused, match="the engine has no image sha256:000"):
        ContainerServers(rig.settings, DockerContainers()).start(missing, "a")
    rig.store.close()


def test_a_release_without_an_image_cannot_run_as_a_container(tmp_path):
    """The refusal says which task makes one."""
    rig = Rig(tmp_path)
    with pytest.raises(ReleaseRefused, match="run containerize"):
        ContainerServers(rig.settings, DockerContainers()).start(replace(rig.release(1), target="container"), "a")
    rig.store.close()


def test_a_container_that_answers_otherwise_than_in_training_gets_no_traffic(engine, image, tmp_path):
    """A golden request tells them apart, at once; the champion serves all the while, and the container is gone."""
    rig = Rig(tmp_path)
    rig.start_deployer()
    try:
        champion = rig.release(1)
        rig.promote(champion, within=60)
        other = replace(rig.release(2, golden=0.5000001), target="container", image_digest=image)
        with rig.load() as load:
            rig.propose(other)
            ended = rig.end_of(other, within=60)
        assert ended.kind == "withdrawn"
        assert ended.reason == "golden request 0: training predicted 0.5000001, the server answers 0.5"
        assert load.failed == {}
        assert load.from_release(other) == 0
        mine = {"io.flightworthy.home": str(tmp_path)}
        rig.wait_for(lambda: DockerContainers().find(mine) == [], within=30, what="the container to be cleared away")
    finally:
        rig.close()


def test_a_container_is_a_shadow_as_a_process_is(engine, image, tmp_path):
    """Its answers are read from the log that it shares; here they are none of the champion's."""
    rig = Rig(tmp_path)
    rig.start_deployer()
    try:
        champion = rig.release(1, prediction=0.1)
        rig.promote(champion, within=60)
        shadow = Shadow(bake_time=rig.seconds(1), min_requests=50, max_flip_rate=0.05)
        other = replace(rig.release(2, strategy=with_strategy(shadow=shadow)), target="container", image_digest=image)
        with rig.load() as load:
            rig.propose(other)
            ended = rig.end_of(other, within=60)
        assert (ended.kind, load.failed, load.from_release(other)) == ("withdrawn", {}, 0)
        assert "entities are answered otherwise than by the champion" in ended.reason
    finally:
        rig.close()


def test_a_container_that_may_leave_is_published_on_loopback_only(engine, image, tmp_path):
    """Where the engine is in a machine of its own there is no other way in, and the setting says so."""
    rig = Rig(tmp_path, containers_have_egress=True)
    servers = ContainerServers(rig.settings, DockerContainers())
    servers.start(replace(rig.release(1), target="container", image_digest=image), "a")
    try:
        (server,) = servers.running()
        told = engine.containers.get(server.identity.split()[1]).attrs
        published = [found for found in told["NetworkSettings"]["Ports"].values() if found]
        assert server.host == "127.0.0.1"
        assert [[port["HostIp"] for port in ports] for ports in published] == [["127.0.0.1"]]
    finally:
        for server in servers.running():
            servers.kill(server)
        rig.store.close()


def test_an_image_that_was_removed_is_known_to_be_missing_and_one_in_use_is_not_removed(engine, image, tmp_path):
    """By digest; removing what is gone already is harmless."""
    rig, containers = Rig(tmp_path), DockerContainers()
    servers = ContainerServers(rig.settings, containers)
    here = replace(rig.release(1), target="container", image_digest=image)
    gone = replace(rig.release(2), target="container", image_digest="sha256:" + "0" * 64)
    assert servers.lacking([here, gone]) == {gone.id: "the Docker engine has no image sha256:000000000000 any more"}
    assert containers.remove_image(gone.image_digest) is True
    standing = engine.containers.create(image)
    try:
        assert containers.remove_image(image) is False
        assert servers.lacking([here]) == {}
    finally:
        standing.remove(force=True)
    rig.store.close()


def test_what_a_killed_deployer_left_behind_is_cleared_away_with_the_stack(engine, image, tmp_path):
    """A container that was made and never started, and one that ended; none of another stack's."""
    rig = Rig(tmp_path)
    mine = {"io.flightworthy.home": str(tmp_path), "io.flightworthy.release": rig.release(1).id}
    left = [engine.containers.create(image, labels=mine), engine.containers.run(image, detach=True, labels=mine)]
    theirs = engine.containers.create(image, labels={**mine, "io.flightworthy.home": "/elsewhere"})
    try:
        left[1].wait()
        rig.close()
        found = {each.id for each in engine.containers.list(all=True, ignore_removed=True)}
        assert found.isdisjoint(each.id for each in left)
        assert theirs.id in found
        DockerContainers().clear_away({"io.flightworthy.release": rig.release(1).id})
        assert theirs.id not in {each.id for each in engine.containers.list(all=True, ignore_removed=True)}
    finally:
        for each in (*left, theirs):
            with suppress(NotFound):
                each.remove(force=True)


def test_a_previous_release_is_drilled_in_a_container_of_its_own_and_one_whose_image_is_gone_is_not(
    engine, image, tmp_path
):
    """By its digest, beside the one that is warm; without the image the drill says how to build it again."""
    rig = Rig(tmp_path)
    rig.start_deployer()
    try:
        contained = replace(rig.release(1), target="container", image_digest=image)
        rig.promote(contained, within=60)
        with rig.load() as load:
            rig.promote(rig.release(2), within=60)
            drill = drilled(rig, within=60)
        assert drill.passed is True, drill.reason
        assert load.failed == {}
        mine = {"io.flightworthy.home": str(tmp_path)}
        assert DockerContainers().find({**mine, "io.flightworthy.slot": "drill"}) == []
        assert len(DockerContainers().find(mine)) == 1
        gone = replace(rig.release(3), target="container", image_digest="sha256:" + "0" * 64)
        rig.kill_deployer()
        rig.store.add_release(gone)
        row = rig.store.deployment("m")
        after = replace(row, generation=row.generation + 1, previous=gone.id)
        rig.store.swap(row, after, draft(row, after, "rolled_back", CAUSE))
        rig.start_deployer()
        drill = drilled(rig, within=60)
        assert drill.passed is False
        assert f"{gone.id} cannot be started: the Docker engine has no image" in drill.reason
        assert "Build it again" in drill.reason
    finally:
        rig.close()
