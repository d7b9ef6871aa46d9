"""How much, and how many."""

from datetime import timedelta

MB = 1_048_576
FILES_PER_MESSAGE = 10
PER_DAY = timedelta(days=1)
PER_HOUR = timedelta(hours=1)
TRIES_PER_HOUR = 200
"""Files that one owner begins, whatever becomes of them: each is looked at, and images are made anew."""
VISITOR_DAILY = 50 * MB
CUSTOMER_DAILY = 500 * MB
OPERATOR_DAILY = 5_000 * MB
POOL_DAILY = 5_000 * MB
"""Of all visitors of a site, and of all who write by the link of a ticket."""
UNDER_WAY = 20
UNDER_WAY_FOR = timedelta(minutes=10)
"""Uploads of one owner that are not finished, and moved in this time."""
PIXELS = 40_000_000
SMALL_PIXELS = 480
"""A thumbnail fits into a square of so many."""
FREE_SHARE = 0.1
FREE_BYTES = 5 * 1024 * MB
"""Files are taken while a tenth of the disk is free, or five gigabytes: the database needs the rest."""
PIECE = 256 * 1024
UNUSED_KEPT = timedelta(days=1)
"""An upload that nobody finishes, a file that nobody sends along."""
