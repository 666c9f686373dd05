"""What must hold of tables: contracts on frames (`frames/`) and suites on what is about to be published (`suites/`).

Knows neither Dagster nor Confide's own package: vocabularies and thresholds come in as plain data.
"""
