"""Who we are to the tenant, as variables and files say it."""

import os
from pathlib import Path

import pytest

from runner.base.errors import SettingsError
from runner.base.settings import SECRET_PREFIX, AccessToken, ClientCredentials, from_environment

ID = "CONDUCTORONE_CLIENT_ID"
SECRET = "CONDUCTORONE_CLIENT_SECRET"
TOKEN = "CONDUCTORONE_ACCESS_TOKEN"
DOMAIN = "CONDUCTORONE_TENANT_DOMAIN"
URL = "CONDUCTORONE_SERVER_URL"

CANARY = "canary-8c1f"
CLIENT = {ID: "brave-1234@acme.conductor.one/pcc", SECRET: CANARY}


def test_an_access_token_goes_before_a_client_secret() -> None:
    settings = from_environment(CLIENT | {TOKEN: "ready", DOMAIN: "acme.conductor.one"})

    assert settings.credential == AccessToken("ready")


def test_a_client_id_and_its_secret_are_taken_as_they_are() -> None:
    assert from_environment(CLIENT).credential == ClientCredentials(CLIENT[ID], CANARY)


@pytest.mark.parametrize(("secret", "is_key"), [(SECRET_PREFIX + "e30", True), (CANARY, False), ("", False)])
def test_a_secret_is_a_key_by_its_prefix(secret: str, is_key: bool) -> None:
    assert ClientCredentials("id", secret).is_key is is_key


@pytest.mark.parametrize("name", [SECRET, ID, TOKEN])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_may_come_from_a_file_with_its_last_line_ended(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(f"x@acme.conductor.one/pcc{ending}".encode())
    environ = {key: value for key, value in CLIENT.items() if key != name} | {DOMAIN: "acme.conductor.one"}
    credential = from_environment(environ | {f"{name}_FILE": str(path)}).credential

    held = (credential.value,) if isinstance(credential, AccessToken) else (credential.client_id, credential.secret)
    assert "x@acme.conductor.one/pcc" in held


def test_empty_variables_are_as_good_as_none() -> None:
    settings = from_environment(CLIENT | {TOKEN: "", f"{SECRET}_FILE": "", DOMAIN: "", URL: ""})

    assert settings.origin == "https://acme.conductor.one"


@pytest.mark.parametrize(
    ("environ", "named", "remedy"),
    [
        ({}, f"{ID} and {SECRET}", "--sandbox"),
        ({ID: CLIENT[ID]}, SECRET, f"{SECRET}_FILE"),
        ({SECRET: CANARY}, ID, f"{ID}_FILE"),
        (CLIENT | {f"{SECRET}_FILE": "/x"}, f"{SECRET}_FILE", "keep one"),
        ({TOKEN: CANARY, f"{TOKEN}_FILE": "/x"}, f"{TOKEN}_FILE", "keep one"),
    ],
)
def test_half_a_credential_or_two_are_refused_with_a_remedy(environ: dict[str, str], named: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment(environ)
    assert named in str(refused.value)
    assert remedy in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("name", [TOKEN, SECRET, ID])
@pytest.mark.parametrize(
    "damage",
    [
        f" {CANARY}",
        f"{CANARY} ",
        f"{CANARY}\r\nX: y",
        f"{CANARY}\tx",
        f"{CANARY}\x00",
        f"{CANARY}\x7f",
        f"{CANARY}é",
        "\n",
    ],
    ids=repr,
)
def test_a_damaged_value_is_refused_without_showing_it(name: str, damage: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment(CLIENT | {DOMAIN: "acme.conductor.one", name: damage})
    assert name in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("value", [f"Bearer {CANARY}", f"{CANARY} x"])
def test_an_access_token_with_something_before_or_after_it_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=TOKEN) as refused:
        from_environment({TOKEN: value, DOMAIN: "acme.conductor.one"})
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xef\xbb\xbf" + CANARY.encode(), "not plain text"),
        (CANARY.encode("utf-16"), "not plain text"),
        (f"{CANARY}\nsecond line".encode(), "control"),
        (b"x" * 65_537, "larger than 64 KiB"),
    ],
    ids=["empty", "an empty line", "a byte order mark", "UTF-16", "two lines", "too large"],
)
def test_a_file_that_holds_no_secret_is_refused_by_its_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        from_environment({ID: CLIENT[ID], f"{SECRET}_FILE": str(path)})
    assert f"{SECRET}_FILE ({path})" in str(refused.value)
    assert says in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing", os.strerror(2)), (tmp_path, os.strerror(21))):
        with pytest.raises(SettingsError) as refused:
            from_environment({ID: CLIENT[ID], f"{SECRET}_FILE": str(path)})
        assert str(path) in str(refused.value)
        assert reason in str(refused.value)
