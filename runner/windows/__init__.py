"""How pauses end: with the command that they were made for, by an undo, or when their time is over.

hold ─► runs (pause) ─► drain ─► command ─► undo (a run that resumes)
receipts: the report of a run elsewhere, so that it can be undone here
"""
