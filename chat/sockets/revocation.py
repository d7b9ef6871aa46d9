"""Access that has ended ends open sockets: asked of the rows twice a second, so that neither a lost hint nor a bus that
is away keeps anybody in."""

import asyncio

import structlog

from chat.sockets.operators import OperatorSockets
from chat.sockets.visitors import VisitorSockets

LOOK_SECONDS = 0.5
"""A sign-out, a deactivation or a change of role closes sockets within two seconds, on a busy machine too."""

log = structlog.get_logger(__name__)


class AccessWatch:
    def __init__(self, visitors: VisitorSockets, operators: OperatorSockets) -> None:
        self._visitors = visitors
        self._operators = operators

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for sockets in (self._operators, self._visitors):
                try:
                    await sockets.end_revoked()
                except Exception:
                    # The database is away: nothing can be read by anybody; the next look finds who may not stay.
                    log.warning("access could not be checked", exc_info=True)
