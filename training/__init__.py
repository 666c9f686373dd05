"""Fits and measures the weights of the local classifier. Not part of the installed package."""
