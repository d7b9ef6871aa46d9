"""One line of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`mend` says what to change; where all is well it is empty, or a hint."""

    name: str
    ok: bool
    says: str
    mend: str = ""
