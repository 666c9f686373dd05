"""Confide: measure what people bring to an AI assistant, and publish nothing that points at a person."""

__version__ = "0.1.0"
