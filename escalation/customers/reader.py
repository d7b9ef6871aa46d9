"""A customer who reads: signed in, with the rights on the account. What customers read asks for one of these."""

from dataclasses import dataclass
from uuid import UUID

FINANCIAL = "financial"
"""The department whose tickets of others take the right to billing."""


@dataclass(frozen=True, slots=True)
class CustomerReader:
    customer_id: UUID
    name: str
    account_id: UUID
    account_no: str
    account_name: str
    can_see_tickets: bool
    """Those of the whole account, not only their own."""
    can_see_billing: bool
    locale: str
    """What they chose, else the account's."""
    time_zone: str
    """The same; empty where nobody chose one."""
