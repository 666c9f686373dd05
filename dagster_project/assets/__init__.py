"""Dagster assets: read, call the domain, write and tell the counts. No rule of the study is decided here."""
