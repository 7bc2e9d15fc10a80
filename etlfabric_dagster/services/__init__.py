"""Business logic and every query. Services may flush, never commit; frozen schemas leave, rows
never do.
"""
