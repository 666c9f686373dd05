"""The demo world: a seeded, synthetic set of chat logs with known truth, and the check of a release against it.

Lives here: phrase banks, their grammar, the invented users, the files written, the truth, the comparison. Not
here: anything that a real run needs; no module outside `demo` but the command line knows this one.
"""
