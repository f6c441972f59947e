BEGIN TRANSACTION;
CREATE TABLE looks (                                -- what stands beside the marks of our own pauses
        tenant TEXT NOT NULL,
        category TEXT NOT NULL,                         -- '': none
        reason TEXT NOT NULL,
        seen_at REAL NOT NULL,                          -- epoch seconds, the latest time
        PRIMARY KEY (tenant, category, reason)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "looks" VALUES('the-tenant','system-customer-opt-out','system-customer-opt-out',1790000012.0);
CREATE TABLE pace_samples (
        run INTEGER NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        at REAL NOT NULL,                   -- seconds since the epoch
        rate REAL,                          -- requests per second from now on; NULL: nothing limits them
        throttled INTEGER NOT NULL,         -- answers of the whole run so far that asked to slow down
        PRIMARY KEY (run, at)
    ) STRICT, WITHOUT ROWID;
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
    , until REAL, windowed INTEGER NOT NULL DEFAULT 0, undoes INTEGER REFERENCES runs (run) ON DELETE SET NULL, clock_offset REAL, clock_uncertainty REAL, credential_until REAL, reader TEXT, sees_marks INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "runs" VALUES(1,'20260921-141320-731b14','{"operation": "pause", "name": "freeze", "targets": [], "select": null, "exclude": [], "protected": [], "allow_empty": false, "partial": false, "waves": [], "window": {"seconds": 3600, "until": null, "time_zone": null}, "tenant": null, "reason": "CHG-1", "limits": {"concurrency": 1, "rate": null, "max_targets": null, "max_failures": null, "deadline": null, "resume_rate": 5.0}, "retry": {"attempts": 5, "base": 0.5, "connect_base": 1.0, "cap": 20.0, "target_deadline": 300.0, "budget_share": 0.2, "budget_floor": 10, "last_pass_delay": 10.0, "outage_failures": 20, "outage_probe": 30.0, "outage": 600.0, "longest_retry_after": 300.0, "forbidden_streak": 5, "missing_streak": 5, "alien_streak": 5, "rejected_tokens": 3}, "timeouts": {"connect": 10.0, "request": 30.0}, "preflight": true, "verify": true, "reports": [], "path": null, "sha256": null}','freeze',NULL,NULL,'pause','the-tenant','CHG-1','0.1.0','host','user',1,1790000000.0,1790000006.0,0,NULL,1,5,0,0,1790003600.0,1,NULL,1.0,2.0,NULL,'sandbox-signer-00001@sandbox.c1.example/spc',1);
INSERT INTO "runs" VALUES(2,'20260921-141326-5ccf61','{"operation": "pause", "name": "nightly", "targets": [], "select": null, "exclude": [], "protected": [], "allow_empty": false, "partial": false, "waves": [], "window": null, "tenant": null, "reason": null, "limits": {"concurrency": 1, "rate": null, "max_targets": null, "max_failures": null, "deadline": null, "resume_rate": 5.0}, "retry": {"attempts": 5, "base": 0.5, "connect_base": 1.0, "cap": 20.0, "target_deadline": 300.0, "budget_share": 0.2, "budget_floor": 10, "last_pass_delay": 10.0, "outage_failures": 20, "outage_probe": 30.0, "outage": 600.0, "longest_retry_after": 300.0, "forbidden_streak": 5, "missing_streak": 5, "alien_streak": 5, "rejected_tokens": 3}, "timeouts": {"connect": 10.0, "request": 30.0}, "preflight": true, "verify": true, "reports": [], "path": null, "sha256": null}','nightly',NULL,NULL,'pause','the-tenant',NULL,'0.1.0','host','user',1,1790000006.0,1790000012.0,0,NULL,1,5,0,0,NULL,0,NULL,1.0,2.0,NULL,'sandbox-signer-00001@sandbox.c1.example/spc',1);
INSERT INTO "runs" VALUES(3,'20260921-141332-78cc65','{"operation": "pause", "name": "mixed", "targets": [], "select": null, "exclude": [], "protected": [], "allow_empty": false, "partial": false, "waves": [], "window": null, "tenant": null, "reason": null, "limits": {"concurrency": 1, "rate": null, "max_targets": null, "max_failures": null, "deadline": 18, "resume_rate": 5.0}, "retry": {"attempts": 1, "base": 0.5, "connect_base": 1.0, "cap": 20.0, "target_deadline": 300.0, "budget_share": 0.2, "budget_floor": 10, "last_pass_delay": 10.0, "outage_failures": 20, "outage_probe": 30.0, "outage": 600.0, "longest_retry_after": 300.0, "forbidden_streak": 5, "missing_streak": 5, "alien_streak": 5, "rejected_tokens": 3}, "timeouts": {"connect": 10.0, "request": 30.0}, "preflight": true, "verify": false, "reports": [], "path": null, "sha256": null}','mixed',NULL,NULL,'pause','the-tenant',NULL,'0.1.0','host','user',1,1790000012.0,1790000030.0,5,'the deadline of 18 s has passed',1,10,0,0,NULL,0,NULL,0.5,1.5,NULL,'sandbox-signer-00001@sandbox.c1.example/spc',1);
INSERT INTO "runs" VALUES(4,'20260921-141350-ee0d39','{"operation": "pause", "name": "cut-off", "targets": [], "select": null, "exclude": [], "protected": [], "allow_empty": false, "partial": false, "waves": [], "window": null, "tenant": null, "reason": null, "limits": {"concurrency": 1, "rate": null, "max_targets": null, "max_failures": null, "deadline": null, "resume_rate": 5.0}, "retry": {"attempts": 5, "base": 0.5, "connect_base": 1.0, "cap": 20.0, "target_deadline": 300.0, "budget_share": 0.2, "budget_floor": 10, "last_pass_delay": 10.0, "outage_failures": 20, "outage_probe": 30.0, "outage": 600.0, "longest_retry_after": 300.0, "forbidden_streak": 5, "missing_streak": 5, "alien_streak": 5, "rejected_tokens": 3}, "timeouts": {"connect": 10.0, "request": 30.0}, "preflight": true, "verify": true, "reports": [], "path": null, "sha256": null}','cut-off',NULL,NULL,'pause','the-tenant',NULL,'0.1.0','host','user',1,1790000030.0,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "runs" VALUES(5,'20260921-141714-3b850e','{"operation": "resume", "name": "nightly", "targets": [], "select": null, "exclude": [], "protected": [], "allow_empty": true, "partial": false, "waves": [], "window": null, "tenant": "the-tenant", "reason": null, "limits": {"concurrency": 1, "rate": null, "max_targets": null, "max_failures": null, "deadline": null, "resume_rate": 5.0}, "retry": {"attempts": 5, "base": 0.5, "connect_base": 1.0, "cap": 20.0, "target_deadline": 300.0, "budget_share": 0.2, "budget_floor": 10, "last_pass_delay": 10.0, "outage_failures": 20, "outage_probe": 30.0, "outage": 600.0, "longest_retry_after": 300.0, "forbidden_streak": 5, "missing_streak": 5, "alien_streak": 5, "rejected_tokens": 3}, "timeouts": {"connect": 10.0, "request": 30.0}, "preflight": false, "verify": true, "reports": [], "path": null, "sha256": null}','nightly',NULL,NULL,'resume','the-tenant',NULL,'0.1.0','host','user',1,1790000234.5,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,0,2,NULL,NULL,NULL,NULL,0);
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
        after TEXT, unclear_at REAL, joined_at REAL, ending_at REAL, released_at REAL, waited REAL NOT NULL DEFAULT 0, receipt TEXT, sent_from REAL, sent_until REAL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "targets" VALUES(1,0,'app0','con0',NULL,'Connector con0','{"can_resume":false,"deleted":false}',1790000002.0,'changed',NULL,200,NULL,'sandbox-00000003',1,0,1790000002.0,1790000003.0,'{"paused_at":"2026-09-21T14:13:23.000000001Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,NULL,NULL,NULL,0.0,'["2026-09-21T14:13:23.000000001Z","system-customer-opt-out","system-customer-opt-out"]',1790000001.0,1790000016.0);
INSERT INTO "targets" VALUES(1,1,'app0','con1',NULL,'Connector con1','{"can_resume":false,"deleted":false}',1790000003.0,'changed',NULL,200,NULL,'sandbox-00000004',1,0,1790000003.0,1790000004.0,'{"paused_at":"2026-09-21T14:13:24.000000002Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,NULL,NULL,NULL,0.0,'["2026-09-21T14:13:24.000000002Z","system-customer-opt-out","system-customer-opt-out"]',1790000002.0,1790000017.0);
INSERT INTO "targets" VALUES(1,2,'app0','con2',NULL,'Connector con2','{"can_resume":false,"deleted":false}',1790000004.0,'changed',NULL,200,NULL,'sandbox-00000005',1,0,1790000004.0,1790000005.0,'{"paused_at":"2026-09-21T14:13:25.000000003Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,NULL,NULL,NULL,0.0,'["2026-09-21T14:13:25.000000003Z","system-customer-opt-out","system-customer-opt-out"]',1790000003.0,1790000018.0);
INSERT INTO "targets" VALUES(2,0,'app1','con3',NULL,'Connector con3','{"can_resume":false,"deleted":false}',1790000008.0,'changed',NULL,200,NULL,'sandbox-00000009',1,0,1790000008.0,1790000009.0,'{"paused_at":"2026-09-21T14:13:29.000000004Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,NULL,1790000237.5,NULL,0.0,'["2026-09-21T14:13:29.000000004Z","system-customer-opt-out","system-customer-opt-out"]',1790000007.0,1790000022.0);
INSERT INTO "targets" VALUES(2,1,'app0','con2',NULL,'Connector con2','{"paused_at":"2026-09-21T14:13:25.000000003Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,'unchanged','already paused',NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,1790000011.0,NULL,1790000237.5,0.0,NULL,NULL,NULL);
INSERT INTO "targets" VALUES(2,2,'app1','con4',NULL,'Connector con4','{"can_resume":false,"deleted":false}',1790000009.0,'changed',NULL,200,NULL,'sandbox-0000000b',1,0,1790000009.0,1790000011.0,'{"paused_at":"2026-09-21T14:13:31.000000005Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',NULL,NULL,NULL,1790000237.5,0.0,'["2026-09-21T14:13:31.000000005Z","system-customer-opt-out","system-customer-opt-out"]',1790000009.0,1790000024.0);
INSERT INTO "targets" VALUES(3,0,'app2','con7',NULL,'Connector con7','{"can_resume":false,"deleted":false}',1790000014.0,'failed','a request got no clear answer, and reads showed no effect of it',502,'HTTP 502: upstream answered 502','sandbox-00000011',1,0,1790000014.0,1790000028.0,'{"can_resume":false,"deleted":false}',1790000014.0,NULL,NULL,NULL,0.0,NULL,1790000013.0,1790000076.0);
INSERT INTO "targets" VALUES(3,1,'app1','con5',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,NULL,NULL);
INSERT INTO "targets" VALUES(3,2,'app2','con6',NULL,'Connector con6','{"can_resume":false,"deleted":false}',1790000014.0,'unknown','a request was sent; what came of it is not known',502,'HTTP 502: upstream answered 502','sandbox-0000000f',1,0,1790000014.0,1790000014.0,NULL,1790000014.0,NULL,NULL,NULL,0.0,NULL,1790000013.0,1790000077.0);
INSERT INTO "targets" VALUES(3,3,'app2','con8',NULL,'Connector con8','{"can_resume":false,"deleted":false}',1790000028.0,'changed',NULL,200,NULL,'sandbox-00000017',1,0,1790000028.0,1790000030.0,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000028.0,1790000042.0);
INSERT INTO "targets" VALUES(4,0,'app3','con9',NULL,'Connector con9','{"can_resume":false,"deleted":false}',1790000032.0,'changed',NULL,200,NULL,'sandbox-0000001a',1,0,1790000032.0,1790000033.0,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000031.0,1790000046.0);
INSERT INTO "targets" VALUES(4,1,'app3','con10',NULL,'Connector con10','{"can_resume":false,"deleted":false}',1790000033.0,'changed',NULL,200,NULL,'sandbox-0000001b',1,0,1790000033.0,1790000034.0,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000032.0,1790000047.0);
INSERT INTO "targets" VALUES(4,2,'app3','con11',NULL,'Connector con11','{"can_resume":false,"deleted":false}',1790000034.0,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000033.0,1790000102.0);
INSERT INTO "targets" VALUES(5,0,'app1','con4',NULL,'Connector con4','{"paused_at":"2026-09-21T14:13:31.000000005Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',1790000236.5,'changed',NULL,200,NULL,'sandbox-0000001f',1,0,1790000236.5,1790000237.5,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000235.0,1790000250.0);
INSERT INTO "targets" VALUES(5,1,'app0','con2',NULL,'Connector con2',NULL,NULL,'skipped','stays paused for run 20260921-141320-731b14 (job freeze), which still wants it so',NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,NULL,NULL);
INSERT INTO "targets" VALUES(5,2,'app1','con3',NULL,'Connector con3','{"paused_at":"2026-09-21T14:13:29.000000004Z","status":"SYNC_STATUS_UNSPECIFIED","category":"system-customer-opt-out","reason":"system-customer-opt-out","can_resume":true,"deleted":false}',1790000238.5,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,1790000237.0,1790000306.0);
CREATE INDEX targets_by_connector ON targets (app_id, connector_id);
COMMIT;
PRAGMA user_version = 4;
