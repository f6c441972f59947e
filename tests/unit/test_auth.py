"""One token for all requests: single flight, early renewal, probation, and the credential that is dead."""

from collections.abc import Callable

import anyio
import pytest
from yarl import URL

from runner.api.auth import FixedToken, SharedToken, Token
from runner.base.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.base.model import AttemptClass, Verdict
from runner.base.policy import RetryPolicy
from runner.base.settings import AccessToken
from runner.base.stop import Stop
from tests.virtual_clock import EPOCH, wall

pytestmark = pytest.mark.anyio

DOWN = Verdict(AttemptClass.AMBIGUOUS, "HTTP 503", 503, retryable=True)
THROTTLED = Verdict(AttemptClass.REFUSED, "HTTP 429", 429, retryable=True, throttled=True, retry_after=7)
POLICY = RetryPolicy(attempts=5, rejected_tokens=3)


class Endpoint:
    """A token endpoint: each mint takes a second, and fails as it is told."""

    def __init__(self, *failures: BaseException, life: float = 600.0) -> None:
        self._failures = list(failures)
        self._life = life
        self.minted: list[Token] = []
        self.mints = 0
        self.at_once = 0

    async def __call__(self) -> Token:
        self.mints += 1
        self.at_once += 1
        assert self.at_once == 1, "two mints at once"
        try:
            await anyio.sleep(1)
        finally:
            self.at_once -= 1
        if self._failures:
            raise self._failures.pop(0)
        now = anyio.current_time()
        token = Token({"Authorization": f"Bearer t{self.mints}"}, now + self._life, wall() + self._life)
        self.minted.append(token)
        return token


def source(endpoint: Endpoint, stop: Stop | None = None, clock: Callable[[], float] = wall) -> SharedToken:
    return SharedToken(endpoint, "acme.conductor.one", POLICY, stop or Stop(), clock)


async def all_of(tokens: SharedToken, count: int) -> list[Token | BaseException]:
    """What so many workers get who ask at the same time."""
    got: list[Token | BaseException] = []

    async def ask() -> None:
        try:
            got.append(await tokens.get())
        except (AccessError, ApiError, StoppingError) as error:
            got.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(ask)
    return got


# One flight


async def test_a_hundred_workers_share_one_mint() -> None:
    endpoint = Endpoint()
    got = await all_of(source(endpoint), 100)

    assert endpoint.mints == 1
    assert got == endpoint.minted * 100


async def test_a_hundred_workers_share_one_renewal_as_well() -> None:
    endpoint = Endpoint(life=100)
    tokens = source(endpoint)
    await tokens.get()
    await anyio.sleep(101)
    got = await all_of(tokens, 100)

    assert endpoint.mints == 2
    assert got == [endpoint.minted[1]] * 100


async def test_a_token_is_used_until_its_time_and_not_longer() -> None:
    endpoint = Endpoint(life=100)
    tokens = source(endpoint)
    first = await tokens.get()
    await anyio.sleep(99)
    assert await tokens.get() is first
    await anyio.sleep(2)
    assert await tokens.get() is not first
    assert endpoint.mints == 2


async def test_a_machine_that_slept_renews_by_the_wall_clock() -> None:
    slept = 0.0
    endpoint = Endpoint(life=100)
    tokens = source(endpoint, clock=lambda: wall() + slept)
    first = await tokens.get()
    slept = 3600
    assert await tokens.get() is not first


async def test_who_is_cancelled_while_minting_leaves_the_flight_to_the_next() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)
    got: list[Token] = []

    async def ask() -> None:
        got.append(await tokens.get())

    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0.5):
            group.start_soon(ask)
            await tokens.get()
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0.5):
            await tokens.get()
    assert len(got) == 1
    assert await tokens.get() is got[0]


# An endpoint in trouble


async def test_trouble_that_passes_costs_retries_and_no_error() -> None:
    endpoint = Endpoint(*(ApiError(DOWN) for _ in range(4)))
    got = await all_of(source(endpoint), 100)

    assert endpoint.mints == 5
    assert got == endpoint.minted * 100


async def test_an_endpoint_that_throttles_is_asked_again_when_it_says() -> None:
    endpoint = Endpoint(ApiError(THROTTLED))
    await source(endpoint).get()

    assert endpoint.mints == 2
    assert anyio.current_time() == pytest.approx(1 + 7 + 1)


async def test_no_flight_begins_before_the_time_that_an_earlier_one_was_told() -> None:
    trouble = [ApiError(DOWN)] * 4 + [ApiError(DOWN._replace(retry_after=100.0))]
    endpoint = Endpoint(*trouble)
    tokens = source(endpoint)
    assert len([error for error in await all_of(tokens, 1) if isinstance(error, ApiError)]) == 1
    told_at = anyio.current_time()
    await tokens.get()

    assert endpoint.mints == 6
    assert anyio.current_time() == pytest.approx(told_at + 100 + 1)


async def test_an_endpoint_that_throttles_for_good_ends_the_run_rather_than_a_target() -> None:
    endpoint, stop = Endpoint(*(ApiError(THROTTLED) for _ in range(99))), Stop()
    got = await all_of(source(endpoint, stop), 10)

    assert endpoint.mints == POLICY.attempts
    assert all(isinstance(error, StoppingError) for error in got)
    assert (stop.exit_code, stop.reason) == (ExitCode.STOPPED, "no token from acme.conductor.one: HTTP 429")


async def test_an_endpoint_that_is_down_is_not_asked_by_every_worker_in_turn() -> None:
    endpoint = Endpoint(*(ApiError(DOWN) for _ in range(10_000)))
    got = await all_of(source(endpoint), 100)

    assert endpoint.mints == POLICY.attempts
    assert len(got) == 100
    assert all(isinstance(error, ApiError) for error in got)


async def test_without_a_token_the_callers_own_request_was_not_sent() -> None:
    throttled = Verdict(AttemptClass.AMBIGUOUS, "HTTP 503", 503, retryable=False, throttled=True)
    with pytest.raises(ApiError, match=r"no token from acme\.conductor\.one: HTTP 503") as raised:
        await source(Endpoint(ApiError(throttled))).get()
    assert raised.value.verdict.attempt is AttemptClass.NOT_SENT
    assert not raised.value.verdict.throttled  # the API itself is not what throttles


async def test_after_trouble_the_next_call_asks_afresh() -> None:
    endpoint = Endpoint(*(ApiError(DOWN) for _ in range(POLICY.attempts)))
    tokens = source(endpoint)
    with pytest.raises(ApiError):
        await tokens.get()

    assert await tokens.get() is endpoint.minted[0]


async def test_refused_credentials_are_final_for_the_one_who_asks() -> None:
    endpoint = Endpoint(AccessError("invalid_client"))
    with pytest.raises(AccessError, match="invalid_client"):
        await source(endpoint).get()
    assert endpoint.mints == 1


async def test_a_run_that_has_ended_mints_nothing() -> None:
    endpoint, stop = Endpoint(), Stop()
    stop.request("enough", ExitCode.STOPPED)
    with pytest.raises(StoppingError):
        await source(endpoint, stop).get()
    assert endpoint.mints == 0


async def test_the_end_of_the_run_ends_the_wait_for_a_token() -> None:
    endpoint, stop = Endpoint(*(ApiError(DOWN) for _ in range(99))), Stop()
    tokens = source(endpoint, stop)

    async with anyio.create_task_group() as group:
        group.start_soon(all_of, tokens, 10)
        await anyio.sleep(1.01)
        stop.request("enough", ExitCode.STOPPED)
    assert anyio.current_time() < 2.1


# Rejected tokens


async def test_a_token_that_was_dropped_already_is_not_dropped_again() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)
    old = await tokens.get()
    tokens.accepted(old)
    for _ in range(100):  # a hundred replies to requests that carried it
        tokens.rejected(old, "HTTP 401")
    new = await tokens.get()
    tokens.rejected(old, "HTTP 401")

    assert tokens.is_current(new)
    assert endpoint.mints == 2


async def test_a_hundred_rejections_at_once_cost_one_new_token() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)
    old = await tokens.get()
    got: list[Token] = []

    async def worker() -> None:
        tokens.rejected(old, "HTTP 401")
        token = await tokens.get()
        tokens.accepted(token)
        got.append(token)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(worker)
    assert endpoint.mints == 2
    assert got == [endpoint.minted[1]] * 100


async def test_the_token_after_a_rejected_one_is_tried_by_one_request_alone() -> None:
    tokens = source(Endpoint())
    tokens.rejected(await tokens.get(), "HTTP 401")
    probe = await tokens.get()
    with anyio.move_on_after(60) as scope:
        await tokens.get()
    assert scope.cancelled_caught

    async with anyio.create_task_group() as group:
        group.start_soon(all_of, tokens, 10)
        await anyio.sleep(1)
        tokens.accepted(probe)
    assert await tokens.get() is probe


@pytest.mark.parametrize("verdicts", [["unjudged", "accepted"], ["unjudged", "unjudged", "accepted"]])
async def test_a_probe_that_gets_no_answer_leaves_the_try_to_another(verdicts: list[str]) -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)
    tokens.rejected(await tokens.get(), "HTTP 401")
    for verdict in verdicts:
        with anyio.fail_after(60):
            token = await tokens.get()
        getattr(tokens, verdict)(token)

    assert await all_of(tokens, 10) == [endpoint.minted[1]] * 10


async def test_three_fresh_tokens_refused_in_a_row_mean_that_the_credential_is_dead() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)
    for _ in range(POLICY.rejected_tokens - 1):
        tokens.rejected(await tokens.get(), "HTTP 401: revoked")
    with pytest.raises(AccessError, match=r"acme\.conductor\.one refuses even fresh tokens \(HTTP 401: revoked\)"):
        tokens.rejected(await tokens.get(), "HTTP 401: revoked")
    assert endpoint.mints == 3


async def test_a_token_that_was_taken_in_between_starts_the_count_again() -> None:
    tokens = source(Endpoint())
    for _ in range(10):
        tokens.rejected(await tokens.get(), "HTTP 401")
        tokens.accepted(await tokens.get())


@pytest.mark.parametrize("verdict", ["accepted", "rejected", "unjudged"])
async def test_a_probe_whose_token_was_renewed_meanwhile_is_judged_all_the_same(verdict: str) -> None:
    tokens = source(Endpoint(life=10))
    tokens.rejected(await tokens.get(), "HTTP 401")
    probe = await tokens.get()
    await anyio.sleep(20)  # the reply takes longer than the token lives

    async def worker() -> None:
        token = await tokens.get()
        assert token is not probe
        tokens.accepted(token)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(worker)
            await anyio.sleep(2)  # another one is fetched
            assert not tokens.is_current(probe)
            if verdict == "rejected":
                tokens.rejected(probe, "HTTP 401")
            else:
                getattr(tokens, verdict)(probe)


async def test_the_end_of_the_run_ends_the_wait_for_a_verdict_at_that_moment() -> None:
    stop = Stop()
    tokens = source(Endpoint(), stop)
    tokens.rejected(await tokens.get(), "HTTP 401")
    await tokens.get()
    got: list[Token | BaseException] = []

    async def ask() -> None:
        got.extend(await all_of(tokens, 10))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.sleep(0.123)
        stop.request("enough", ExitCode.STOPPED)
    assert anyio.current_time() == pytest.approx(2.123)
    assert [str(error) for error in got] == ["enough"] * 10


async def test_who_is_cancelled_while_waiting_for_a_verdict_leaves_the_others_waiting() -> None:
    tokens = source(Endpoint())
    tokens.rejected(await tokens.get(), "HTTP 401")
    probe = await tokens.get()
    got: list[Token | BaseException] = []

    async def ask() -> None:
        got.extend(await all_of(tokens, 5))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        with anyio.move_on_after(1):
            await all_of(tokens, 5)
        await anyio.sleep(1)
        assert got == []
        tokens.accepted(probe)
    assert got == [probe] * 5


async def test_a_late_answer_to_an_old_token_says_nothing_about_the_new_one() -> None:
    tokens = source(Endpoint())
    old = await tokens.get()
    tokens.rejected(old, "HTTP 401")
    tokens.accepted(old)  # its request left before
    tokens.rejected(await tokens.get(), "HTTP 401")
    with pytest.raises(AccessError):
        tokens.rejected(await tokens.get(), "HTTP 401")


# A ready token


async def test_a_fixed_token_is_refused_only_once() -> None:
    tokens = FixedToken(AccessToken("canary"))
    token = await tokens.get()
    tokens.accepted(token)
    tokens.unjudged(token)
    assert tokens.is_current(token)
    assert await tokens.get() is token

    with pytest.raises(AccessError, match=r"CONDUCTORONE_ACCESS_TOKEN.*HTTP 401.*get a new token") as refused:
        tokens.rejected(token, "HTTP 401")
    assert "canary" not in str(refused.value)


async def test_no_token_shows_itself() -> None:
    token = Token({"Authorization": "Bearer canary"})

    assert "canary" not in f"{token} {token!r} {[token]}"
    assert token.secret == "canary"
    assert token.headers("POST", URL("https://acme.conductor.one")) == {"Authorization": "Bearer canary"}
    assert EPOCH > 0
