"""Pairs that nobody made a rule for, whose truth is known."""
