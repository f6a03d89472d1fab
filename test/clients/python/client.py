"""What the official Python libraries do against a running service.

Reads APPCONFIG_CONNECTION_STRING, prints one line for each fact and the counts at the end; exit code 1 when a fact failed.
"""

import os
import sys
import time
import uuid
from datetime import timedelta

from azure.appconfiguration import (
    AzureAppConfigurationClient,
    ConfigurationSetting,
    ConfigurationSettingsFilter,
    FeatureFlagConfigurationSetting,
    ResourceReadOnlyError,
    SecretReferenceConfigurationSetting,
)
from azure.core import MatchConditions
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

try:
    from azure.appconfiguration import provider
except ImportError:
    provider = None  # requirements-older.txt has the client alone

CONNECTION_STRING = os.environ["APPCONFIG_CONNECTION_STRING"]
# Keys of this run alone: the runner speaks to one service several times.
PREFIX = f"python-{uuid.uuid4()}/"
# Longer than anything here takes on a busy machine.
PATIENCE_SECONDS = 30



def connect():
    """Releases before 1.7.2 take every connection string for one of https; their constructor knows http."""
    endpoint, id_, secret = (part.split("=", 1)[1] for part in CONNECTION_STRING.split(";"))
    if provider is None and endpoint.startswith("http:"):
        return AzureAppConfigurationClient(endpoint, AzureKeyCredential(secret), id_credential=id_, retry_total=0)
    return AzureAppConfigurationClient.from_connection_string(CONNECTION_STRING, retry_total=0)


client = connect()
counts = {"ok": 0, "failed": 0}


def fact(name, exists=True):
    """Runs the function at once and says how it went; a fact about something that this release does not have is none."""

    def run(function):
        if not exists:
            return
        try:
            function()
        except Exception as error:  # a client may fail in any way, and the next fact is worth knowing all the same
            counts["failed"] += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
        else:
            counts["ok"] += 1
            print(f"ok {name}", flush=True)

    return run


def refusal(error_type, call):
    """The status with which the service refuses the call."""
    try:
        call()
    except error_type as error:
        return error.status_code
    raise AssertionError(f"not refused with {error_type.__name__}")


def setting(name, value, **more):
    return ConfigurationSetting(key=PREFIX + name, value=value, **more)


def value_of(name, label=None, **more):
    return client.get_configuration_setting(PREFIX + name, label, **more).value


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {PATIENCE_SECONDS} s"
        time.sleep(0.05)


@fact("add creates, with label, content type and tags")
def _():
    added = client.add_configuration_setting(
        setting("add", "one", label="dev", content_type="text/plain", tags={"team": "blue"})
    )
    read = client.get_configuration_setting(PREFIX + "add", "dev")
    for each in (added, read):
        assert (each.value, each.label, each.content_type) == ("one", "dev", "text/plain"), each
        assert each.tags == {"team": "blue"} and each.read_only is False, each
    assert read.etag == added.etag and read.last_modified == added.last_modified


@fact("add is refused with 412 where something is")
def _():
    client.add_configuration_setting(setting("add-twice", "one"))
    again = setting("add-twice", "two")
    assert refusal(ResourceExistsError, lambda: client.add_configuration_setting(again)) == 412
    assert value_of("add-twice") == "one"


@fact("set replaces, and with the entity tag that was read it does so only while nothing changed")
def _():
    read = client.set_configuration_setting(setting("set", "one"))
    read.value = "two"
    written = client.set_configuration_setting(read, MatchConditions.IfNotModified)
    assert written.value == "two" and written.etag != read.etag
    read.value = "three"
    write = lambda: client.set_configuration_setting(read, MatchConditions.IfNotModified)
    assert refusal(ResourceModifiedError, write) == 412
    assert value_of("set") == "two"


@fact("get is 404 where nothing is")
def _():
    get = lambda: client.get_configuration_setting(PREFIX + "absent")
    assert refusal(ResourceNotFoundError, get) == 404


@fact("get with the entity tag that was read gives nothing until it changed")
def _():
    read = client.set_configuration_setting(setting("changed", "one"))
    get = lambda: client.get_configuration_setting(
        read.key, etag=read.etag, match_condition=MatchConditions.IfModified
    )
    assert get() is None
    client.set_configuration_setting(setting("changed", "two"))
    assert get().value == "two"


@fact("keys and labels keep every character")
def _():
    for name in ("größe/日本語/😀", "a/b//c/", "it's (really) a*b,c\\d!", "q?x=1&y#z;w +"):
        client.set_configuration_setting(setting(name, name, label=name))
        read = client.get_configuration_setting(PREFIX + name, name)
        assert (read.key, read.label, read.value) == (PREFIX + name, name, name), read


@fact("list follows the pages of more than 100 items, and filters by key, label and tag")
def _():
    for index in range(120):
        client.set_configuration_setting(setting(f"list/{index:03}", str(index)))
    client.set_configuration_setting(setting("list/000", "labelled", label="dev", tags={"team": "red"}))
    client.set_configuration_setting(setting("another", "outside"))
    unlabelled = client.list_configuration_settings(key_filter=PREFIX + "list/*", label_filter="\0")
    assert [each.value for each in unlabelled] == [str(index) for index in range(120)]
    assert len(list(client.list_configuration_settings(key_filter=PREFIX + "list/*"))) == 121
    pair = client.list_configuration_settings(key_filter=f"{PREFIX}list/001,{PREFIX}list/002")
    assert [each.value for each in pair] == ["1", "2"]
    labelled = client.list_configuration_settings(key_filter=PREFIX + "list/*", label_filter="dev")
    assert [each.value for each in labelled] == ["labelled"]
    tagged = client.list_configuration_settings(key_filter=PREFIX + "list/*", tags_filter=["team=red"])
    assert [each.value for each in tagged] == ["labelled"]


@fact(
    "pages that did not change are recognised by their entity tags",
    exists=hasattr(client, "check_configuration_settings"),
)
def _():
    def page_tags():
        pages = client.check_configuration_settings(key_filter=PREFIX + "list/*", label_filter="\0").by_page()
        tags = []
        for page in pages:
            list(page)
            tags.append(pages.etag)
        return tags

    tags = page_tags()
    assert len(tags) == 2 and all(tags), tags
    assert page_tags() == tags
    client.set_configuration_setting(setting("list/110", "changed"))
    changed = page_tags()
    assert changed[0] == tags[0] and changed[1] != tags[1]


@fact("read-only settings refuse changes with 409 until they are unlocked")
def _():
    read = client.set_configuration_setting(setting("locked", "one"))
    assert client.set_read_only(read).read_only is True
    write = lambda: client.set_configuration_setting(setting("locked", "two"))
    assert refusal(ResourceReadOnlyError, write) == 409
    delete = lambda: client.delete_configuration_setting(read.key)
    assert refusal(ResourceReadOnlyError, delete) == 409
    assert client.set_read_only(read, False).read_only is False
    write()
    assert value_of("locked") == "two"


@fact("a lock that nothing is under is 404, and one on a changed setting 412")
def _():
    lock = lambda: client.set_read_only(setting("absent", None))
    assert refusal(ResourceNotFoundError, lock) == 404
    read = client.set_configuration_setting(setting("lock-if", "one"))
    client.set_configuration_setting(setting("lock-if", "two"))
    lock = lambda: client.set_read_only(read, match_condition=MatchConditions.IfNotModified)
    assert refusal(ResourceModifiedError, lock) == 412
    assert client.get_configuration_setting(read.key).read_only is False


@fact("revisions are listed newest first")
def _():
    for index in range(105):
        client.set_configuration_setting(setting("revisions", str(index)))
    revisions = client.list_revisions(key_filter=PREFIX + "revisions")
    assert [each.value for each in revisions] == [str(index) for index in reversed(range(105))]


@fact("a read of the past gives what was, one setting or a list")
def _():
    first = client.set_configuration_setting(setting("as-of", "old"))

    def is_second_over():
        # Another setting, whose every write must alter something to get the time of the server.
        tick = client.set_configuration_setting(setting("clock", str(uuid.uuid4())))
        return tick.last_modified > first.last_modified

    # The past is divided into seconds: only a write in a later one leaves the first as it was.
    wait_for(is_second_over)
    client.set_configuration_setting(setting("as-of", "new"))
    assert value_of("as-of") == "new"
    assert value_of("as-of", accept_datetime=first.last_modified) == "old"
    before = first.last_modified - timedelta(hours=1)
    get = lambda: value_of("as-of", accept_datetime=before)
    assert refusal(ResourceNotFoundError, get) == 404
    listed = client.list_configuration_settings(key_filter=PREFIX + "as-of", accept_datetime=first.last_modified)
    assert [each.value for each in listed] == ["old"]


@fact("labels are listed once each")
def _():
    for name in ("a", "b"):
        client.set_configuration_setting(setting(name, name, label=PREFIX + "label"))
    assert [each.name for each in client.list_labels(name=PREFIX + "*")].count(PREFIX + "label") == 1


@fact("a feature flag and a secret reference come back as what they are")
def _():
    flag = FeatureFlagConfigurationSetting(
        PREFIX + "Beta",
        enabled=True,
        filters=[{"name": "Microsoft.Percentage", "parameters": {"Value": 25}}],
    )
    client.set_configuration_setting(flag)
    read = client.get_configuration_setting(flag.key)
    assert isinstance(read, FeatureFlagConfigurationSetting) and read.enabled is True, read
    assert read.content_type == "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
    assert read.filters == flag.filters
    client.set_configuration_setting(
        SecretReferenceConfigurationSetting(PREFIX + "secret", "https://vault.example/secrets/password")
    )
    read = client.get_configuration_setting(PREFIX + "secret")
    assert isinstance(read, SecretReferenceConfigurationSetting), read
    assert read.secret_id == "https://vault.example/secrets/password"


@fact("a snapshot keeps what was, is archived and recovered")
def _():
    for index in range(103):
        client.set_configuration_setting(setting(f"snapshot/{index:03}", str(index)))
    name = PREFIX.replace("/", "")
    poller = client.begin_create_snapshot(
        name, [ConfigurationSettingsFilter(key=PREFIX + "snapshot/*")], retention_period=3600, tags={"team": "blue"}
    )
    created = poller.result(PATIENCE_SECONDS)
    assert created.status == "ready" and created.items_count == 103, (created.status, created.items_count)
    assert created.tags == {"team": "blue"} and created.retention_period == 3600
    client.set_configuration_setting(setting("snapshot/000", "changed"))
    client.delete_configuration_setting(PREFIX + "snapshot/001")
    items = list(client.list_configuration_settings(snapshot_name=name))
    assert [each.value for each in items] == [str(index) for index in range(103)]
    again = lambda: client.begin_create_snapshot(name, [ConfigurationSettingsFilter(key="*")])
    assert refusal(HttpResponseError, again) == 409
    archived = client.archive_snapshot(name)
    assert archived.status == "archived" and archived.expires is not None
    assert [each.name for each in client.list_snapshots(name=name, status=["archived"])] == [name]
    recovered = client.recover_snapshot(name)
    assert recovered.status == "ready" and recovered.expires is None
    assert client.get_snapshot(name).status == "ready"
    assert refusal(ResourceNotFoundError, lambda: client.get_snapshot(name + "-absent")) == 404


@fact("delete gives what was, and nothing where nothing is")
def _():
    client.set_configuration_setting(setting("delete", "one", label="dev"))
    assert client.delete_configuration_setting(PREFIX + "delete", "dev").value == "one"
    get = lambda: client.get_configuration_setting(PREFIX + "delete", "dev")
    assert refusal(ResourceNotFoundError, get) == 404
    assert client.delete_configuration_setting(PREFIX + "delete", "dev") is None


@fact("delete with an entity tag is refused with 412 once the setting changed")
def _():
    read = client.set_configuration_setting(setting("delete-if", "one"))
    client.set_configuration_setting(setting("delete-if", "two"))
    delete = lambda: client.delete_configuration_setting(
        read.key, etag=read.etag, match_condition=MatchConditions.IfNotModified
    )
    assert refusal(ResourceModifiedError, delete) == 412
    assert value_of("delete-if") == "two"


@fact("the provider loads by selector, trims, parses JSON and refreshes by a watched key", exists=provider)
def _():
    client.set_configuration_setting(setting("app/greeting", "hello"))
    client.set_configuration_setting(setting("app/greeting", "hello, developer", label="dev"))
    client.set_configuration_setting(setting("app/limits", '{"size": [1, 2]}', content_type="application/json"))
    client.set_configuration_setting(setting("app/sentinel", "1"))
    configuration = provider.load(
        connection_string=CONNECTION_STRING,
        selects=[
            provider.SettingSelector(key_filter=PREFIX + "app/*"),
            provider.SettingSelector(key_filter=PREFIX + "app/*", label_filter="dev"),
        ],
        trim_prefixes=[PREFIX + "app/"],
        refresh_on=[provider.WatchKey(PREFIX + "app/sentinel")],
        refresh_interval=1,
    )
    assert configuration["greeting"] == "hello, developer"
    assert configuration["limits"] == {"size": [1, 2]}
    client.set_configuration_setting(setting("app/greeting", "good evening", label="dev"))
    client.set_configuration_setting(setting("app/sentinel", "2"))

    def is_refreshed():
        configuration.refresh()
        return configuration["greeting"] == "good evening"

    wait_for(is_refreshed)


@fact("the provider loads feature flags", exists=provider)
def _():
    configuration = provider.load(
        connection_string=CONNECTION_STRING,
        selects=[provider.SettingSelector(key_filter=PREFIX + "app/*")],
        feature_flag_enabled=True,
        feature_flag_selectors=[provider.SettingSelector(key_filter=PREFIX + "*")],
    )
    flags = configuration["feature_management"]["feature_flags"]
    assert [(flag["id"], flag["enabled"]) for flag in flags] == [(PREFIX + "Beta", True)], flags


print(f"{counts['ok']} ok, {counts['failed']} failed", flush=True)
sys.exit(1 if counts["failed"] else 0)
