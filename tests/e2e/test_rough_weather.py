"""A tenant at its worst, in a process of its own: errors, lost replies, a limit, tokens that hardly live."""

from collections import Counter

from tests.e2e.shell import Shell, outcomes

FAULTS = "error=5%,drop=2%,limit=100/s,token_life=5s,seed=7"


def test_errors_lost_replies_a_limit_and_short_tokens_cost_time_and_no_target(shell: Shell) -> None:
    pairs = [(f"app{number // 25}", f"con{number}") for number in range(300)]
    with shell.sandbox("--any-id", "--faults", FAULTS) as env:
        done = shell.run("run", shell.job(pairs), "--concurrency", "20", "--report", "out.json", env=env)

    assert (done.code, done.stderr) == (0, "")
    assert Counter(outcomes(shell.report()).values()) == {"changed": 300}
    requests = shell.report()["requests"]
    assert requests["retries"] > 0
    assert sum(row["throttled"] for row in shell.report()["results"]) <= requests["throttled"]
