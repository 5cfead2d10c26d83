"""Exports of an account: one zip file with all of a user's data, and its way back into an empty account."""
