"""waybill dead-letter list | redrive | discard."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from aiokafka.errors import KafkaError
from chassis import dead_letters
from chassis.names import Names
from chassis.settings import Kafka

from waybill import output
from waybill.environment import settings
from waybill.output import Refusal, run
from waybill.requests import no_kafka

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Messages that could not be handled, put aside whole."
)

SERVICES = ("registry", "ingestor", "loader")
COLUMNS = ("service", "put aside at", "from", "key", "error")
Service = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
Result = TypeVar("Result")


@app.command("list")
def list_letters(
    service: Annotated[str | None, typer.Argument(help="Only this service's.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document, messages whole.")] = False,
) -> None:
    """Every dead letter that was neither redriven nor discarded: what, from where, why."""

    async def work() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for each in (service,) if service else SERVICES:
            found += [{"service": each} | vars(letter) for letter in await _of(each, dead_letters.list_dead_letters)]
        return found

    letters = run(work())
    if json:
        output.write_json([_plain(letter) for letter in letters])
        return
    if not letters:
        output.say("no dead letters")
        return
    output.write_table(COLUMNS, [_line(letter) for letter in letters])
    output.say("once the cause is mended: waybill dead-letter redrive SERVICE; to give them up: discard SERVICE")


def _line(letter: dict[str, Any]) -> list[Any]:
    place = f"{letter['topic']}, partition {letter['topic_partition']}, offset {letter['topic_offset']}"
    why = f"{letter['error_type']} after {letter['attempts']} tries: {letter['error']}"
    return [letter["service"], letter["put_aside_at"], place, _plain(letter["key"]), why]


@app.command("redrive")
def redrive(service: Service) -> None:
    """Send every waiting dead letter of a service back to its topic, and let a held consumer go on."""
    output.say(f"messages sent again: {run(_of(service, dead_letters.redrive))}")


@app.command("discard")
def discard(service: Service) -> None:
    """Give every waiting dead letter of a service up, and let a held consumer go on."""
    count = run(_of(service, dead_letters.discard))
    output.say(f"messages discarded: {count}; they stay readable in the topic until it forgets them")


async def _of(service: str, work: Callable[[Kafka, Names, str], Awaitable[Result]]) -> Result:
    if service not in SERVICES:
        raise Refusal(f"no service is called {service!r}; expected one of {', '.join(SERVICES)}")
    using = settings()
    try:
        return await work(using.kafka, using.names, service)
    except (KafkaError, OSError) as error:
        raise no_kafka(using, error) from None


def _plain(value: Any) -> Any:
    """Bytes as text, whatever they are, also those of headers."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
