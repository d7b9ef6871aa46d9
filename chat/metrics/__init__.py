"""What `/metrics` says: all names in `names.py`, numbers from tallies and readers, example alarms beside."""
