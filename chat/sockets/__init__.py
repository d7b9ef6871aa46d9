"""The visitors' and the operators' lines: frames -> actions, topics -> frames.

`entrance.py` is where a request for a socket or a poll asks, `door.py` admits it, and `upgrade.py` brings it from
uvicorn to picows. `socket.py` runs one line (frames in order, refusals, floods), `heart.py` asks all of them whether
they live, `traffic.py` counts. `polling.py` and `poll.py` are the long poll. `visitors.py` is the visitors' endpoint,
with `returning.py` for those who come back; `operators.py` the operators', where `operator.py` is one console and
`access.py` what it may see, which `revocation.py` asks again and again. `paging.py` brings a stream to a line,
`queue.py` and `staff.py` tell places and who is there.
"""
