"""Doubles and real servers for all layers of tests."""
