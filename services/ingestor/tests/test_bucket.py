"""The bucket that a file lies in is the one its rejects go beside."""

from pathlib import Path

from .conftest import Clients


async def test_rejects_go_beside_the_bucket_of_their_file(clients: Clients, tmp_path: Path) -> None:
    other = f"{clients.namespace.bucket}-b"
    clients.s3.create_bucket(Bucket=f"{other}-out")
    source = tmp_path / "rejects.csv"
    source.write_bytes(b"line\n2\n")
    for _ in range(2):
        await clients.bucket.put_rows(other, "acme/orders/1/1/rejects.csv", source)
    kept = clients.s3.get_object(Bucket=f"{other}-out", Key="acme/orders/1/1/rejects.csv")
    assert kept["Body"].read() == b"line\n2\n"
