"""The load generator: thousands of clients that do what widget and console do, each with a history."""
