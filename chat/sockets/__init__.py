"""The visitors' and the operators' WebSocket endpoints: frames -> actions, topics -> frames.

`socket.py` runs any connection (reader, writer, heartbeat, refusals); `paging.py` brings a stream to a connection;
`visitors.py` and `operators.py` are the two endpoints.
"""
