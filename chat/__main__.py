"""`python -m chat` is `nightdesk`."""

from chat.cli import main

main()
