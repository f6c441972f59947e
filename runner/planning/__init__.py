"""From a job to its targets: which connectors it takes, and the state of each before anything is sent.

job ─► planner ─┬─ pairs ──────► states ─┐
                └─ select ─► discover ───┴─► planned targets, as they are found
                               kinds: which of them are MCP servers
preview: the same, shown and not done      saved: a preview kept in a file, and compared later

Asks the tenant through `api`, decides who is in with `selection`, and sends nothing.
"""
