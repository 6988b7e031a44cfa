"""The files for containers and clusters say what the code says."""

from typing import Any

import house
import pytest
import yaml
from chassis.names import Names
from chassis.settings import Settings
from chassis.topics import NOTIFICATIONS, _new_topic
from pydantic import BaseModel
from waybill_contracts import EVENTS

COMPOSE: dict[str, Any] = yaml.safe_load((house.ROOT / "docker-compose.yml").read_text())
TOPICS: dict[str, Any] = yaml.safe_load((house.ROOT / "deploy/kafka/topics.yaml").read_text())["topics"]
NAMES = Names("waybill")
STANDARD_VARIABLES = ("AWS_", "OTEL_")


def settings(model: type[BaseModel], prefix: str) -> set[str]:
    """Every environment variable that a service understands."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if is_section(kind)]
        names |= settings(inner[0], f"{prefix}{name.upper()}__") if inner else {prefix + name.upper()}
    return names


def is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def test_every_port_is_published_on_loopback_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(ports) == len(COMPOSE["services"])
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_containers_are_the_servers_and_every_service() -> None:
    assert COMPOSE["services"].keys() == {"kafka", "postgres", "mongo", "minio", *house.SERVICES}
    for service in COMPOSE["services"].values():
        build = service.get("build")
        folder = house.ROOT / (build["context"] if build else "")
        assert not build or (folder / build.get("dockerfile", "Dockerfile")).is_file()
        assert (
            {volume.split(":")[0] for volume in service["volumes"]} <= {*COMPOSE["volumes"], "./datasets"}
            if ("volumes" in service)
            else True
        )


@pytest.mark.parametrize("name", house.SERVICES)
def test_a_container_sets_only_what_its_service_understands(name: str) -> None:
    service = COMPOSE["services"][name]
    known = settings(Settings, "WAYBILL_")
    given = [variable for variable in service["environment"] if not variable.startswith(STANDARD_VARIABLES)]
    assert set(given) <= known
    assert service["build"]["args"] == {"SERVICE": name}


def test_no_password_is_written_down() -> None:
    for service in COMPOSE["services"].values():
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in ("PASSWORD", "SECRET", "ACCESS_KEY", "ROOT_USER")):
                assert value.startswith("${"), variable


def test_the_topics_for_a_managed_cluster_are_those_that_the_services_would_make() -> None:
    nouns = {event.topic for event in EVENTS} | {NOTIFICATIONS}
    wanted = {*map(NAMES.topic, nouns), *map(NAMES.dead_letters, house.SERVICES)}
    made = {name: _new_topic(name, brokers=3) for name in wanted}
    assert {
        name: {"partitions": topic.num_partitions, "replicas": topic.replication_factor, "config": topic.topic_configs}
        for name, topic in made.items()
    } == TOPICS
