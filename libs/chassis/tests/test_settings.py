"""Settings are read from environment and secret files; what is wrong is named and never shown."""

from pathlib import Path
from typing import ClassVar

import pytest
from chassis.settings import Http, Settings, load

NEEDED = {
    "WAYBILL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "WAYBILL_POSTGRES__DSN": "postgresql://me:hush@127.0.0.1/waybill",
}


class Needy(Settings):
    requires: ClassVar = ("mongo", "s3")
    http: Http = Http(port=8401)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("WAYBILL_SECRETS_DIR", str(tmp_path / "none"))
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaint(settings: type[Settings], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        load(settings)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_setting_that_is_missing_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("WAYBILL_POSTGRES__DSN")
    assert complaint(Settings, capsys) == "setting WAYBILL_POSTGRES__DSN is missing\n"


def test_every_store_that_a_service_requires_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(Needy, capsys).splitlines() == [
        "setting WAYBILL_MONGO__URI is missing",
        "setting WAYBILL_S3__BUCKET is missing",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAYBILL_WORKERS", "hush"),
        ("WAYBILL_WORKERS", "0"),
        ("WAYBILL_NAMESPACE", "Hush!"),
        ("WAYBILL_POSTGRES__DSN", "mysql://me:hush@host/db"),
        ("WAYBILL_MONGO__URI", "hush"),
        ("WAYBILL_KAFKA__BOOTSTRAP_SERVERS", "hush"),
        ("WAYBILL_KAFKA__SECURITY_PROTOCOL", "hush"),
        ("WAYBILL_KAFKA__BOOTSTRAP", "hush"),
        ("WAYBILL_KAFKA__CA_FILE", "/hush/ca.pem"),
        ("WAYBILL_DATASETS", "/hush"),
        ("WAYBILL_JOBS__LEASE_SECONDS", "-1"),
        ("WAYBILL_LOG__FORMAT", "hush"),
        ("WAYBILL_INSTANCE", "hush hush"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    said = complaint(Settings, capsys)
    assert said.startswith(f"setting {name}: ")
    assert "hush" not in said.lower()


def test_a_section_that_is_no_json_is_refused_without_its_text(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("WAYBILL_POSTGRES", '{"dsn": "hush')
    said = complaint(Settings, capsys)
    assert "postgres" in said
    assert "hush" not in said


def test_secrets_are_never_part_of_what_is_printed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WAYBILL_MONGO__URI", "mongodb://me:hush@127.0.0.1")
    environment.setenv("WAYBILL_KAFKA__SASL_PASSWORD", "hush")
    assert "hush" not in repr(load(Settings))


def test_secrets_are_read_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "WAYBILL_MONGO__URI").write_text("mongodb://me:hush@127.0.0.1")
    environment.setenv("WAYBILL_SECRETS_DIR", str(tmp_path))
    mongo = load(Settings).mongo
    assert mongo
    assert mongo.uri == "mongodb://me:hush@127.0.0.1"


def test_nothing_listens_beyond_loopback_by_default(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WAYBILL_HTTP__PORT", "9000")
    assert load(Settings).http == Http(host="127.0.0.1", port=9000)


def test_a_service_keeps_its_port_when_only_the_host_is_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WAYBILL_HTTP__HOST", "0.0.0.0")
    environment.setenv("WAYBILL_MONGO__URI", "mongodb://127.0.0.1")
    environment.setenv("WAYBILL_S3__BUCKET", "landing")
    assert load(Needy).http == Http(host="0.0.0.0", port=8401)


def test_the_warehouse_is_the_same_database_unless_it_is_named(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).warehouse_dsn == NEEDED["WAYBILL_POSTGRES__DSN"]
    environment.setenv("WAYBILL_WAREHOUSE__DSN", "postgresql://elsewhere/warehouse")
    assert load(Settings).warehouse_dsn == "postgresql://elsewhere/warehouse"


@pytest.mark.parametrize(
    ("more", "expected"),
    [("", ("landing",)), ("erp", ("landing", "erp")), ("erp,landing,x.y-1", ("landing", "erp", "x.y-1"))],
)
def test_more_buckets_come_after_the_first_each_once(
    environment: pytest.MonkeyPatch, more: str, expected: tuple[str, ...]
) -> None:
    environment.setenv("WAYBILL_S3__BUCKET", "landing")
    environment.setenv("WAYBILL_S3__BUCKETS", more)
    loaded = load(Settings).s3
    assert loaded is not None
    assert loaded.all_buckets == expected


@pytest.mark.parametrize("more", ["landing-out", "erp,erp-out", "erp, x", "erp,", "E"])
def test_buckets_that_cannot_be_or_take_what_is_written_out_are_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    environment.setenv("WAYBILL_S3__BUCKET", "landing")
    environment.setenv("WAYBILL_S3__BUCKETS", more)
    assert "setting WAYBILL_S3" in complaint(Settings, capsys)
