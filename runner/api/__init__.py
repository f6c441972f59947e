"""All that knows HTTP.

client ─► sender ─► turn (pace, outage) ─► transport (connections, time limit, unpack) ─► classify
  │         └─ auth ─► mint ─► assertion      tokens, one for all workers
  └─ pages, rows, lookup                      what C1's answers hold        tenant_time: the clock they tell
"""
