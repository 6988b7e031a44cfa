"""Settings from the environment and from secret files; what is wrong is named, its value is never shown."""

import os
import ssl
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, FilePath, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from chassis.names import DEFAULT_NAMESPACE, NAMESPACE_PATTERN, Names

PREFIX = "WAYBILL_"
DELIMITER = "__"
SECRETS_FOLDER = "WAYBILL_SECRETS_DIR"

BUCKET = "[a-z0-9][a-z0-9.-]{1,58}[a-z0-9]"
PostgresDsn = Annotated[str, Field(pattern=r"^postgres(ql)?://", repr=False)]


class Section(BaseModel):
    """Settings that share a first word; an unknown one is refused, so that a typing error is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Section):
    """How to reach Kafka."""

    bootstrap_servers: str = Field(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")
    client_id: str | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = Field(default=None, repr=False)
    ca_file: FilePath | None = None
    idempotence: bool = True

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """None where the protocol is not encrypted."""
        if not self.security_protocol.endswith("SSL"):
            return None
        return ssl.create_default_context(cafile=self.ca_file)

    def client(self, client_id: str) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id or client_id,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
        }
        if self.security_protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return arguments

    def producer(self, client_id: str) -> dict[str, Any]:
        """Arguments of a producer that loses and doubles nothing by itself."""
        return self.client(client_id) | {
            "acks": "all",
            "enable_idempotence": self.idempotence,
            "linger_ms": 5,
            "compression_type": "zstd",
            "max_request_size": 1_000_000,
        }


class Postgres(Section):
    """A PostgreSQL database."""

    dsn: PostgresDsn


class Mongo(Section):
    """The document store."""

    uri: str = Field(pattern=r"^mongodb(\+srv)?://", repr=False)


class S3(Section):
    """The object store; credentials come from the standard AWS_ variables."""

    endpoint_url: str | None = Field(default=None, pattern=r"^https?://")
    bucket: str = Field(pattern=rf"^{BUCKET}$")
    buckets: str = Field(default="", pattern=rf"^({BUCKET}(,{BUCKET})*)?$")
    """More of them, with commas between."""

    @property
    def all_buckets(self) -> tuple[str, ...]:
        """Every bucket that files are dropped in, each once."""
        return tuple(dict.fromkeys([self.bucket, *filter(None, self.buckets.split(","))]))

    @model_validator(mode="after")
    def _apart_from_output(self) -> Self:
        # What is written to an output bucket would be dropped again.
        if {f"{bucket}-out" for bucket in self.all_buckets} & set(self.all_buckets):
            raise ValueError("expected no bucket that is the output bucket (-out) of another")
        return self


class Http(Section):
    """Where health and metrics are served; port 0 or none takes a free one."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)


class Jobs(Section):
    """How long a job may be silent before another worker takes it."""

    lease_seconds: float = Field(default=30, gt=0)


class Log(Section):
    """What is logged, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "console"] = "json"


class Settings(BaseSettings):
    """What every service can be told; a service adds its own and says which optional ones it requires."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        nested_model_default_partial_update=True,
        extra="ignore",
        frozen=True,
    )
    requires: ClassVar[tuple[str, ...]] = ()

    namespace: str = Field(default=DEFAULT_NAMESPACE, pattern=NAMESPACE_PATTERN.pattern)
    manage: bool = False
    workers: int = Field(default=2, ge=1, le=64)
    datasets: DirectoryPath | None = None
    instance: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    kafka: Kafka
    postgres: Postgres
    warehouse: Postgres | None = None
    mongo: Mongo | None = None
    s3: S3 | None = None
    http: Http = Http()
    jobs: Jobs = Jobs()
    log: Log = Log()

    @property
    def names(self) -> Names:
        """How things are called in this installation."""
        return Names(self.namespace)

    @property
    def dsn(self) -> str:
        """Where the service's own tables lie; the loader's lie in the warehouse."""
        return self.postgres.dsn

    @property
    def warehouse_dsn(self) -> str:
        """The warehouse's own database where there is one."""
        return (self.warehouse or self.postgres).dsn

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = Path(os.environ.get(SECRETS_FOLDER, "/run/secrets"))
        if not folder.is_dir():
            return init_settings, env_settings
        secrets = NestedSecretsSettingsSource(
            file_secret_settings,
            secrets_dir=folder,
            secrets_prefix=PREFIX,
            secrets_nested_delimiter=DELIMITER,
        )
        return init_settings, env_settings, secrets


AnySettings = TypeVar("AnySettings", bound=Settings)


def load(settings: type[AnySettings]) -> AnySettings:
    """The settings of this process; ends it with exit code 2, naming each setting that is missing or wrong."""
    try:
        loaded = settings()  # type: ignore[call-arg]
    except ValidationError as error:
        _refuse([_complaint(settings, detail) for detail in error.errors(include_input=False, include_url=False)])
    except SettingsError as error:
        _refuse([str(error)])
    missing = [name for name in settings.requires if getattr(loaded, name) is None]
    if missing:
        _refuse([_missing(settings, (name,)) for name in missing])
    return loaded


def _refuse(complaints: list[str]) -> NoReturn:
    for complaint in complaints:
        print(f"setting {complaint}", file=sys.stderr)  # noqa: T201  (logs are set up from settings)
    raise SystemExit(2)


def _complaint(settings: type[Settings], detail: ErrorDetails) -> str:
    path = tuple(str(part) for part in detail["loc"])
    if detail["type"] == "missing":
        return _missing(settings, path)
    return f"{_variable(path)}: {detail['msg']}"


def _missing(settings: type[Settings], path: tuple[str, ...]) -> str:
    # A section that is absent as a whole is named by what it needs most.
    if len(path) == 1:
        section = settings.model_fields[path[0]].annotation
        models = [kind for kind in (section, *getattr(section, "__args__", ())) if hasattr(kind, "model_fields")]
        needed = [name for kind in models for name, field in kind.model_fields.items() if field.is_required()]
        path = (path[0], *needed[:1])
    return f"{_variable(path)} is missing"


def _variable(path: tuple[str, ...]) -> str:
    return PREFIX + DELIMITER.join(path).upper()
