"""How pauses end: with the command that they were made for, by an undo, or when their time is over.

hold ─► run (pause) ─► drain ─► command ─► undo ─► run (resume)
receipts: the report of a run elsewhere, so that it can be undone here
"""
