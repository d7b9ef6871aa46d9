"""What escalation adds to the rail: in the inbox and on its own pages the same."""

from chat.public import RailLink

RAIL = (
    RailLink(label="Tickets", url="/desk/tickets", icon="ticket", keys="g t"),
    RailLink(label="Search", url="/desk/search", icon="search", keys="g f"),
    RailLink(label="Shifts", url="/desk/shifts", icon="calendar", keys="g d"),
)
