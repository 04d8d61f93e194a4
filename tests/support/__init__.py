"""Helpers the tests and the demo share."""
