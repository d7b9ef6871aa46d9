"""How running clocks follow what was just saved: said by the page that the administrator comes back to."""

from starlette.requests import Request

from escalation.sla.engine import Applied


def query_of(applied: Applied) -> str:
    return f"moved={applied.moved}{'&more=1' if applied.more else ''}"


def applied_in(request: Request) -> Applied | None:
    """None where nothing was saved."""
    moved = request.query_params.get("moved", "")
    if not (moved.isascii() and moved.isdecimal() and len(moved) < 8):
        return None
    return Applied(int(moved), more="more" in request.query_params)
