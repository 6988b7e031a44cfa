"""A million bad rows, and a declaration that is no YAML: bounded, visible, and nobody else is held up."""

import pytest
from dataset import COLUMNS, Dataset, rows
from installation import Installation, until

BAD_ROWS = 1_000_000
MOST_BYTES = 500_000_000
KEPT = 1000

pytestmark = pytest.mark.timeout(300)


async def test_a_million_bad_rows_hold_one_file_in_bounded_memory_and_bounded_tables(running: Installation) -> None:
    orders = await Dataset.declared(running)
    content = b"id,name,amount\n" + b"x,some name,1.00\n" * BAD_ROWS
    await orders.drop(content)
    peak = 0

    async def done() -> bool:
        nonlocal peak
        peak = max(peak, running.processes["ingestor"].usage().memory_bytes)
        files = await running.files(orders.name)
        return bool(files) and files[0]["state"] in ("HELD", "FAILED", "LOADED")

    await until(done, 200, "the file has not come to an end")
    (file,) = await running.files(orders.name)
    assert (file["state"], file["code"], file["attempt"]) == ("HELD", "reject_share", 1), file["reason"]
    assert peak <= MOST_BYTES, f"{peak / 1e6:.0f} MB"
    query = "SELECT count(*) AS kept FROM rejects JOIN datasets USING (dataset_id) WHERE dataset = $1"
    assert (await running.rows("ingestor", query, orders.name))[0]["kept"] == KEPT
    key = f"{orders.name}/{file['file_id']}/{file['attempt']}/rejects.csv"
    reply = await running.s3.get_object(Bucket=f"{running.bucket}-out", Key=key)
    rejects = await reply["Body"].read()
    assert rejects.count(b"\n") == BAD_ROWS + 1
    assert rejects.endswith((b'x,some name,1.00"\n', b"x,some name,1.00\n"))
    await orders.refuse(1)
    await orders.deliver(rows("1,one,1.00"))
    await orders.check()


async def test_a_declaration_that_is_no_yaml_is_named_with_its_line_and_the_others_are_taken(
    installation: Installation,
) -> None:
    (installation.datasets / "broken.yaml").write_text("organisation: acme\ntable: [orders\nkey: [id]\n")
    good = Dataset(installation, "acme/good")
    installation.declare(good.name, ["id"], COLUMNS)
    await installation.start()
    problems = await installation.rows("registry", "SELECT name, problems FROM declaration_files ORDER BY name")
    found = {row["name"]: row["problems"] for row in problems}
    assert found["acme-good.yaml"] == []
    assert found["broken.yaml"][0].startswith("broken.yaml:3:")
    (file,) = await good.deliver(rows("1,one,1.00"))
    assert file["state"] == "LOADED"
    await good.check()
