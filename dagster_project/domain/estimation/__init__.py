"""Estimators of published numbers: intervals that treat the person, not the conversation, as the unit."""
