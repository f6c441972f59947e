"""The tables, and how an older file is brought up to date.

`PRAGMA user_version` holds the number of migrations applied. A migration is never edited once released.
"""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,        -- sorts by time
        job TEXT NOT NULL,                  -- the job without its targets, JSON
        job_name TEXT NOT NULL,
        job_path TEXT,
        job_sha256 TEXT,
        operation TEXT NOT NULL,
        tenant TEXT NOT NULL,
        reason TEXT,
        version TEXT NOT NULL,              -- of this program
        host TEXT NOT NULL,
        user TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at REAL NOT NULL,           -- seconds since the epoch
        finished_at REAL,                   -- NULL: under way, or ended abruptly
        exit_code INTEGER,
        stopped TEXT,
        whole INTEGER NOT NULL,             -- 0: a selection was still being listed, the plan may lack some
        requests INTEGER,
        retries INTEGER,
        throttled INTEGER
    ) STRICT;

    CREATE TABLE targets (
        run INTEGER NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        seq INTEGER NOT NULL,               -- plan order, from 0
        app_id TEXT NOT NULL,
        connector_id TEXT NOT NULL,
        app_name TEXT,
        connector_name TEXT,
        before TEXT,                        -- the connector's state, JSON
        intent_at REAL,                     -- durable before the first request leaves
        outcome TEXT,
        detail TEXT,
        http_status INTEGER,
        error TEXT,
        request_id TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        throttled INTEGER NOT NULL DEFAULT 0,
        started_at REAL,
        finished_at REAL,
        after TEXT,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE runs ADD COLUMN until REAL;             -- when its pauses end by themselves
    ALTER TABLE runs ADD COLUMN windowed INTEGER NOT NULL DEFAULT 0; -- 1: a command runs while they last
    ALTER TABLE runs ADD COLUMN undoes INTEGER REFERENCES runs (run) ON DELETE SET NULL; -- whose pauses it ends

    ALTER TABLE targets ADD COLUMN unclear_at REAL;     -- when a request last got no clear answer
    ALTER TABLE targets ADD COLUMN joined_at REAL;      -- found paused by another run, and wanted so by this one
    ALTER TABLE targets ADD COLUMN ending_at REAL;      -- its resume is about to be sent
    ALTER TABLE targets ADD COLUMN released_at REAL;    -- this run does not want it paused any more
    CREATE INDEX targets_by_connector ON targets (app_id, connector_id);
    """,
    """
    CREATE TABLE pace_samples (
        run INTEGER NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        at REAL NOT NULL,                   -- seconds since the epoch
        rate REAL,                          -- requests per second from now on; NULL: nothing limits them
        throttled INTEGER NOT NULL,         -- answers of the whole run so far that asked to slow down
        PRIMARY KEY (run, at)
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE targets ADD COLUMN waited REAL NOT NULL DEFAULT 0;  -- seconds, held back by the tenant's limit
    """,
    """
    ALTER TABLE runs ADD COLUMN clock_offset REAL;      -- seconds that the tenant's clock is ahead; NULL: not known
    ALTER TABLE runs ADD COLUMN clock_uncertainty REAL; -- seconds that the offset may be off
    ALTER TABLE runs ADD COLUMN credential_until REAL;  -- the credential's end; NULL: not known, or none
    ALTER TABLE runs ADD COLUMN reader TEXT;            -- which credential has read the states, nothing secret
    ALTER TABLE runs ADD COLUMN sees_marks INTEGER NOT NULL DEFAULT 0; -- 1: that credential has seen a pause

    ALTER TABLE targets ADD COLUMN receipt TEXT;        -- the mark of this run's own pause, as read: JSON
    ALTER TABLE targets ADD COLUMN sent_from REAL;      -- between these moments of the tenant's time a request for it
    ALTER TABLE targets ADD COLUMN sent_until REAL;     -- can have taken effect; NULL: the tenant's time is not known
    UPDATE targets SET receipt = after
        WHERE outcome = 'changed' AND json_extract(after, '$.paused_at') IS NOT NULL
            AND before IS NOT NULL AND json_extract(before, '$.paused_at') IS NULL
            AND coalesce(json_extract(before, '$.status'), '') != 'SYNC_STATUS_DISABLED';
    UPDATE targets SET sent_from = intent_at - 120, -- this machine's clock was the only one that was known
        sent_until = max(intent_at, coalesce(unclear_at, finished_at, intent_at)) + 120 WHERE intent_at IS NOT NULL;

    CREATE TABLE looks (                                -- what stands beside the marks of our own pauses
        tenant TEXT NOT NULL,
        category TEXT NOT NULL,                         -- '': none
        reason TEXT NOT NULL,
        seen_at REAL NOT NULL,                          -- epoch seconds, the latest time
        PRIMARY KEY (tenant, category, reason)
    ) STRICT, WITHOUT ROWID;
    """,
    # What older versions said in a sentence, and compared, is a column each.
    """
    ALTER TABLE targets ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0; -- 1: failed, and may take effect all the same
    ALTER TABLE targets ADD COLUMN left_to TEXT;        -- the id of the run that an undo has left its pause to
    UPDATE targets SET unproven = 1 WHERE detail = 'a request got no clear answer, and reads showed no effect of it';
    UPDATE targets SET left_to = substr(detail, 22, instr(substr(detail, 22), ' ') - 1)
        WHERE outcome = 'skipped' AND detail LIKE 'stays paused for run % (job %';
    """,
)
