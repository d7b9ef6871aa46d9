"""Who reads that something failed can name the number under which the log tells what."""

from pathlib import Path

import httpx2

from tests.support.program import program


async def test_every_answer_has_a_number_of_our_own_and_a_failure_shows_it(tmp_path: Path) -> None:
    async with program(tmp_path) as running, httpx2.AsyncClient(base_url=running.base_url) as http:
        first = (await http.get("/healthz")).headers["x-request-id"]
        async with running.desk.db.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("ALTER TABLE site RENAME TO gone")
        failed = await http.get(f"/w/{running.site_key}/loader.js", headers={"X-Request-Id": "forged"})
        async with running.desk.db.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("ALTER TABLE gone RENAME TO site")
    assert failed.status_code == 500
    number = failed.headers["x-request-id"]
    assert number in failed.text
    assert len({first, number, "forged"}) == 3
