"""The four figures of the study, one module each."""
