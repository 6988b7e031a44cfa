"""The three outcomes as exceptions, and which errors mean that a server is away."""

import asyncio
from functools import cache


class Unprocessable(Exception):
    """Never: trying again cannot help; the message becomes a dead letter."""


class NotNow(Exception):
    """Not now: something needed is away; wait, count no try, write no dead letter."""


class AlreadyHandled(Exception):
    """This event had its transaction; the delivery is a repeat."""


class Fenced(Exception):
    """The job's attempt is no longer mine; stop and write nothing."""


# PostgreSQL classes and codes that pass by themselves: connection lost, out of resources or disk, shutdown, deadlock,
# a transaction that the server ended because its process was frozen.
_PASSING_SQLSTATES = ("08", "53", "57P", "58030", "40001", "40P01", "55P03", "25006", "25P03", "25P04")
_PASSING_S3_CODES = {"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "XMinioServerNotInitialized"}


def is_away(error: BaseException) -> bool:
    """Whether the error says that a server or the disk is away for now, rather than that the work is wrong."""
    if isinstance(error, (NotNow, *_away_types())):
        return True
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate.startswith(_PASSING_SQLSTATES)
    return _is_passing_s3(error) or _is_passing_kafka(error) or _is_lost_connection(error)


@cache
def _away_types() -> tuple[type[BaseException], ...]:
    import aiohttp
    from botocore import exceptions as s3
    from pymongo import errors as mongo

    return (
        OSError,
        asyncio.TimeoutError,
        aiohttp.ClientError,
        mongo.AutoReconnect,
        mongo.WaitQueueTimeoutError,
        s3.HTTPClientError,
        s3.ConnectionError,
        s3.IncompleteReadError,
        s3.ResponseStreamingError,
    )


def _is_passing_s3(error: BaseException) -> bool:
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return False
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or response.get("Error", {}).get("Code") in _PASSING_S3_CODES


def _is_passing_kafka(error: BaseException) -> bool:
    from aiokafka.errors import KafkaConnectionError, KafkaError

    return isinstance(error, KafkaConnectionError) or (isinstance(error, KafkaError) and error.retriable)


# What asyncpg says, without a code, of a connection that broke meanwhile: at its end, after it, and between the
# server's last word and the end.
_LOST = ("clos", "released back to the pool", "cannot switch to state")


def _is_lost_connection(error: BaseException) -> bool:
    return type(error).__module__.startswith("asyncpg") and any(words in str(error) for words in _LOST)
