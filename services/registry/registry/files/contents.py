"""What lies in the bucket now, and what stands in an object: for deliveries, which are told of by objects."""

from collections.abc import AsyncIterator

from botocore.exceptions import ClientError

from registry.domain.arrivals import ObjectVersion
from registry.domain.deliveries import Unusable
from registry.files.bucket import NO_VERSION, Files


async def newest_versions(files: Files, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
    """The objects under the prefix as they are now, page by page; one that is deleted is not there."""
    pages = files.client.get_paginator("list_object_versions").paginate(Bucket=files.bucket, Prefix=prefix)
    async for answer in pages:
        yield [
            ObjectVersion(
                bucket=files.bucket,
                key=entry["Key"],
                version_id=entry["VersionId"],
                size=entry["Size"],
                etag=entry["ETag"].strip('"'),
                last_modified=entry["LastModified"],
            )
            for entry in answer.get("Versions", [])
            if entry["IsLatest"]
        ]


async def read_object(files: Files, key: str, version_id: str) -> bytes:
    """The bytes of this version; Unusable where it is gone."""
    try:
        answer = await files.client.get_object(Bucket=files.bucket, Key=key, VersionId=version_id)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in NO_VERSION:
            raise Unusable("the object's version is no longer in the bucket: send it again") from error
        raise
    body: bytes = await answer["Body"].read()
    return body
