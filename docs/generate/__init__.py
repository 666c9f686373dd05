"""Pages, a picture and dbt exposures that are made from the code, so that they cannot differ from it.

`python -m docs.generate` writes them; a test says when they are out of date. Not here: pages written by people.
"""
