"""What Dapr's official Python library does against a running service.

Reads DAPR_HTTP_ENDPOINT, DAPR_GRPC_ENDPOINT and DAPR_API_TOKEN as the library itself does, prints one line for each fact and the
counts at the end; exit code 1 when a fact failed.
"""

import sys
import time
import uuid
import warnings

import grpc
from dapr.clients import DaprClient
from dapr.clients.grpc._response import UnlockResponseStatus
from dapr.clients.health import DaprHealth
from dapr.conf import settings

STORE = "lockstore"
# Resources of this run alone: the runner speaks to one service several times.
PREFIX = f"python-{uuid.uuid4()}/"
# Longer than anything here takes on a busy machine.
PATIENCE_SECONDS = 30
LONG = 60

# The library calls locks an alpha version whenever one is taken.
warnings.simplefilter("ignore")
counts = {"ok": 0, "failed": 0}


def fact(name, exists=True):
    """Runs the function at once and says how it went; a fact about something that is not so in this run is none."""

    def run(function):
        if not exists:
            return
        try:
            function()
        except Exception as error:  # a client may fail in any way, and the next fact is worth knowing all the same
            counts["failed"] += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
        else:
            counts["ok"] += 1
            print(f"ok {name}", flush=True)

    return run


def refusal(call):
    """The code and text with which the service refuses the call."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("not refused")


def lock(name, owner, seconds=LONG):
    return client.try_lock(STORE, PREFIX + name, owner, seconds).success


def unlock(name, owner):
    return client.unlock(STORE, PREFIX + name, owner).status


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {PATIENCE_SECONDS} s"
        time.sleep(0.05)


# The constructor asks for /v1.0/healthz/outbound over HTTP before anything else.
client = DaprClient()


@fact("the health check over HTTP succeeds")
def _():
    DaprHealth.wait_for_sidecar()


@fact("the metadata names the lock store")
def _():
    stores = [(each.name, each.type, each.version) for each in client.get_metadata().registered_components]
    assert (STORE, "lock.postgres", "v1") in stores, stores


@fact("a metadata label is set and read")
def _():
    client.set_metadata("python", PREFIX)
    assert client.get_metadata().extended_metadata["python"] == PREFIX


@fact("a lock is taken, and refused to anybody, its owner included")
def _():
    assert lock("lock", "a") is True
    assert lock("lock", "b") is False
    assert lock("lock", "a") is False
    assert lock("lock/another", "b") is True


@fact("unlock says released, not there and somebody else's")
def _():
    assert unlock("unlock", "a") == UnlockResponseStatus.lock_does_not_exist
    lock("unlock", "a")
    assert unlock("unlock", "b") == UnlockResponseStatus.lock_belongs_to_others
    assert unlock("unlock", "a") == UnlockResponseStatus.success
    assert unlock("unlock", "a") == UnlockResponseStatus.lock_does_not_exist


@fact("a lock that was left to expire is handed over")
def _():
    assert lock("expiry", "a", 1) is True
    assert lock("expiry", "a") is False
    wait_for(lambda: lock("expiry", "b"))
    assert unlock("expiry", "a") == UnlockResponseStatus.lock_belongs_to_others


@fact("the result unlocks at the end of a with statement")
def _():
    with client.try_lock(STORE, PREFIX + "with", "a", LONG) as taken:
        assert taken
        assert lock("with", "b") is False
    assert lock("with", "b") is True


@fact("resources and owners keep every character")
def _():
    name = " größe/日本語/😀 | \"q\" \\ %2F+?&#"
    assert lock(name, " Ä ") is True
    assert unlock(name, "Ä") == UnlockResponseStatus.lock_belongs_to_others
    assert unlock(name, " Ä ") == UnlockResponseStatus.success


@fact("an unknown store is refused with INVALID_ARGUMENT")
def _():
    expected = (grpc.StatusCode.INVALID_ARGUMENT, "lock store absent not found")
    assert refusal(lambda: client.try_lock("absent", PREFIX + "a", "a", LONG)) == expected
    assert refusal(lambda: client.unlock("absent", PREFIX + "a", "a")) == expected


@fact("two pipes in a row are refused with INTERNAL")
def _():
    code, message = refusal(lambda: client.try_lock(STORE, "a||b", "a", LONG))
    assert code == grpc.StatusCode.INTERNAL, code
    assert message == "failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'", message


@fact("expiries below 1 and fractions do not leave the client, which goes on working")
def _():
    for seconds, error_type in ((0, ValueError), (-5, ValueError), (1.5, TypeError)):
        try:
            lock("seconds", "a", seconds)
        except error_type:
            continue
        raise AssertionError(f"{seconds} was accepted")
    assert lock("seconds", "a") is True


@fact("a wrong token and none are refused with UNAUTHENTICATED", exists=bool(settings.DAPR_API_TOKEN))
def _():
    token = settings.DAPR_API_TOKEN
    for wrong in ("another token", None):
        settings.DAPR_API_TOKEN = wrong
        try:
            # Health is not asked for a token, so the client starts.
            with DaprClient() as stranger:
                found = refusal(lambda: stranger.try_lock(STORE, PREFIX + "token", "a", LONG))
        finally:
            settings.DAPR_API_TOKEN = token
        assert found == (grpc.StatusCode.UNAUTHENTICATED, "Unauthorized"), found
    assert lock("token", "b") is True


client.close()
print(f"{counts['ok']} ok, {counts['failed']} failed", flush=True)
sys.exit(1 if counts["failed"] else 0)
