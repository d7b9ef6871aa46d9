"""What keeps a desk running: readiness, figures of the database, the canary, copies of everything."""
