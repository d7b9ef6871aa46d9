"""What the public side of a ticket shows, whoever reads it and by whichever way. Pure."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from chat.strings import Catalogue
from escalation.client_area.output import is_output
from escalation.client_area.path import path_of, promise_of
from escalation.client_area.watching import look_of
from escalation.directory import named
from escalation.faces import ground, initials
from escalation.requesters_store import RequestersTicket
from escalation.sla.durations import clock_text
from escalation.states import HIGH, requesters_word


def shown_of(found: RequestersTicket, c: Catalogue, now: datetime, request: Request, status: int) -> dict[str, Any]:
    """With a form in which nothing is written yet."""
    return {
        "ticket": found,
        "look": look_of(found),
        "is_output": is_output,
        "stops": path_of(found, c),
        "promise": promise_of(found, now),
        "word": requesters_word(found.state, c),
        "department": named(found.department, c.locale),
        "high": found.priority == HIGH,
        "initials": initials,
        "ground": ground,
        "clock_text": clock_text,
        "at": datetime.fromisoformat,
        "sent": "sent" in request.query_params and status == 200,
        "error": "",
        "text": "",
        "kept_files": [],
        "ref": uuid4().hex,
    }
