"""Erasing: every trace of a user, a conversation or an age is removed from a home, and kept out afterwards.

`erasure.py` has the order of the steps and what others call; `survey.py` finds what goes; `traces.py` knows what of a
conversation is kept under hashes; `days.py` takes it out of landing and lake; `leftovers.py` sweeps; `by_age.py` is
retention. What stores do to their own files is in `storage/`.
"""
