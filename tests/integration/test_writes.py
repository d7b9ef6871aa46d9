"""What is written to a socket in one turn of the loop leaves together and arrives as it was: whole and in order."""

from pathlib import Path

import pytest

from chat.protocol.closing import Closing
from tests.support.program import program

SIZES = (2, 125, 126, 127, 300, 65_535, 65_536, 3, 40_000)


@pytest.mark.parametrize("websockets", ["picows", "websockets"])
async def test_texts_of_one_turn_arrive_whole_and_in_order_before_the_goodbye(tmp_path: Path, websockets: str) -> None:
    async with program(tmp_path, websockets=websockets) as running:
        ann = await running.visitor()
        (socket,) = running.desk.visitor_sockets.all
        texts = [f'{{"type":"t","n":{number},"text":"{"č" * (size // 2)}"}}' for number, size in enumerate(SIZES)]
        for text in texts:
            socket.connection.push(text)
        socket.connection.close(Closing.RETIRING)
        assert await ann.close_code() == Closing.RETIRING.code
        heard = [frame for frame in ann.frames if frame["type"] == "t"]
        assert [frame["n"] for frame in heard] == list(range(len(SIZES)))
        assert [len(frame["text"]) for frame in heard] == [size // 2 for size in SIZES]
