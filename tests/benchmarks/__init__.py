"""Figures as JSON: `python -m tests.benchmarks NAME`. Never part of a test run; each stops by itself."""
