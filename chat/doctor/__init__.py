"""`nightdesk doctor`: what is configured, what is reachable, what is wrong and how to mend it.

It tests the way that people come: out by the public address, through whatever stands before the program, and in.
"""

from chat.doctor.bus import ask_bus
from chat.doctor.database import ask_database
from chat.doctor.finding import Finding
from chat.doctor.mail import ask_mail
from chat.doctor.place import address, disk, folder, secret_key
from chat.doctor.way import ask_way
from chat.settings import Settings

__all__ = ["Finding", "examine"]


async def examine(settings: Settings) -> list[Finding]:
    found = [address(settings), disk(settings), folder(settings), secret_key(settings)]
    about_database, site = await ask_database(settings)
    answers = all(finding.ok for finding in about_database if finding.name == "database")
    mail = await ask_mail(settings, has_rows=answers)
    return [*found, *about_database, await ask_bus(settings), mail, *await ask_way(settings, site)]
