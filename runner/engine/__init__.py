"""From planned targets to outcomes: what is sent, when, how often, and what became of it.

plan ─► supervisor ─► pool ─► purpose ─► execute ─► journal     a target after another, `concurrency` at a time
            │                   ├─ join      a pause: one of ours is on it already? one lease more
            │                   └─ release   an undo: only what is ours, and nobody else here wants (undoing, absence)
            ├─► verify          does the tenant show it?     decide: what a read settles (pure)
            ├─► followup        syncs that a resume has started
            └─  thresholds, cadence: when to stop, how fast to resume

session: what a run works with, and who is told of it. Nothing here lists a tenant, or imports what does.
"""
