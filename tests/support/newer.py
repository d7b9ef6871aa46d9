"""`python -m tests.support.newer …` is `nightdesk …` of a version that does not exist yet: its frames have a field that
nobody knows, it sends frames that nobody knows, and it tells its neighbours news that nobody knows."""

from typing import Any
from uuid import UUID

from chat.hub.connection import Connection
from chat.hub.hub import Hub
from chat.protocol import frames

FIELD = ',"from_the_future":{"known":false}}'
FRAME = '{"type":"foreseen","entries":[{"seq":1}]}'


def main() -> None:
    encode, push, publish = frames.encode, Connection.push, Hub.publish

    def with_a_field(frame: frames.Frame) -> str:
        return encode(frame)[:-1] + FIELD if len(encode(frame)) > len('{"type":"beat"}') else encode(frame)

    def with_a_frame(connection: Connection, text: str) -> None:
        push(connection, text)
        push(connection, FRAME)

    def with_news(hub: Hub, topic: str, news: Any) -> None:
        publish(hub, topic, news)
        publish(hub, topic, {"kind": "foreseen", "conversation": str(UUID(int=7)), "seq": -1})

    frames.encode = with_a_field
    Connection.push = with_a_frame  # type: ignore[method-assign, assignment]
    Hub.publish = with_news  # type: ignore[method-assign, assignment]
    from chat.cli import main as nightdesk

    nightdesk()


if __name__ == "__main__":
    main()
