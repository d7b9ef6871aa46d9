"""The visitors' and the operators' WebSocket endpoints: frames -> actions, topics -> frames.

`door.py` admits a connection and `socket.py` runs it (reader, writer, heartbeat, refusals); `paging.py` brings a stream
to it. `visitors.py` is the visitors' endpoint, `operators.py` the operators', where `operator.py` is one console and
`access.py` what it may see.
"""
