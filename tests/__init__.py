"""Everything that proves Nightdesk: `python -m tests`. See README.md beside this file."""
