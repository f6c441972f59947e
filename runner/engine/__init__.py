"""From planned targets to outcomes: what is sent, when, how often, and what became of it.

supervisor ─► pool ─► execute ─► journal          one target after another, `concurrency` at a time
   │            ├─ join      a pause of ours on it already? one lease more
   │            └─ release   an undo: only what is ours, and nobody else here wants
   ├─► verify      does the tenant show it?        decide: what a read settles (pure)
   ├─► followup    syncs that a resume has started
   └─  thresholds, cadence: when to stop, how fast to resume
"""
