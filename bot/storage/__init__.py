"""Everything Attune keeps, in SQL: people, conversations, turns, readings, decisions, handoffs.

The functions of each module take an open session and neither commit nor roll back, so that a caller
can join several into one transaction; `Database.session()` is that transaction. They give back frozen
records, never live rows, so nothing reads the database behind a caller's back.
"""
