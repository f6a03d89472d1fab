import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.MatchConditions;
import com.azure.core.http.policy.FixedDelayOptions;
import com.azure.core.http.policy.RetryOptions;
import com.azure.core.http.rest.PagedResponse;
import com.azure.core.util.Context;
import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.ConfigurationClientBuilder;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.ConfigurationSettingsFilter;
import com.azure.data.appconfiguration.models.ConfigurationSnapshot;
import com.azure.data.appconfiguration.models.ConfigurationSnapshotStatus;
import com.azure.data.appconfiguration.models.FeatureFlagConfigurationSetting;
import com.azure.data.appconfiguration.models.FeatureFlagFilter;
import com.azure.data.appconfiguration.models.SecretReferenceConfigurationSetting;
import com.azure.data.appconfiguration.models.SettingLabel;
import com.azure.data.appconfiguration.models.SettingLabelSelector;
import com.azure.data.appconfiguration.models.SettingSelector;
import com.azure.data.appconfiguration.models.SnapshotSelector;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.IntStream;

/**
 * What the official Java library does against a running service.
 *
 * <p>Reads APPCONFIG_CONNECTION_STRING, prints one line for each fact and the counts at the end; exit code 1 when a fact failed.
 */
public final class Client {
  /** Keys of this run alone: the runner speaks to one service several times. */
  private static final String PREFIX = "java-" + UUID.randomUUID() + "/";
  /** Longer than anything here takes on a busy machine. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final String NO_LABEL = "\0";

  private static final ConfigurationClient client =
      new ConfigurationClientBuilder()
          .connectionString(System.getenv("APPCONFIG_CONNECTION_STRING"))
          .retryOptions(new RetryOptions(new FixedDelayOptions(0, Duration.ofMillis(1))))
          .buildClient();

  private static int ok = 0;
  private static int failed = 0;

  private interface Fact {
    void run() throws Exception;
  }

  /** Runs the fact at once and says how it went. */
  private static void fact(String name, Fact fact) {
    try {
      fact.run();
      ok++;
      System.out.println("ok " + name);
    } catch (Exception | AssertionError error) {
      failed++;
      System.out.println("FAILED " + name + ": " + String.valueOf(error).replace('\n', ' '));
    }
  }

  private static void equal(Object found, Object expected) {
    if (!Objects.equals(found, expected)) throw new AssertionError("found " + found + ", expected " + expected);
  }

  /** Checks the status with which the service refuses the call. */
  private static void refused(int status, Fact call) throws Exception {
    try {
      call.run();
    } catch (RuntimeException error) {
      // Pollers wrap what the service said.
      Throwable cause = error instanceof HttpResponseException ? error : error.getCause();
      if (!(cause instanceof HttpResponseException response)) throw error;
      equal(response.getResponse().getStatusCode(), status);
      return;
    }
    throw new AssertionError("expected status " + status);
  }

  private static ConfigurationSetting setting(String name, String value) {
    return new ConfigurationSetting().setKey(PREFIX + name).setValue(value);
  }

  private static ConfigurationSetting set(String name, String value) {
    return client.setConfigurationSetting(PREFIX + name, null, value);
  }

  private static ConfigurationSetting get(String name) {
    return client.getConfigurationSetting(PREFIX + name, null);
  }

  private static List<String> values(Iterable<ConfigurationSetting> settings) {
    List<String> values = new ArrayList<>();
    settings.forEach(each -> values.add(each.getValue()));
    return values;
  }

  private static List<String> list(SettingSelector selector) {
    return values(client.listConfigurationSettings(selector));
  }

  private static SettingSelector select(String keyFilter) {
    return new SettingSelector().setKeyFilter(keyFilter);
  }

  private static List<String> numbers(int count) {
    return new ArrayList<>(IntStream.range(0, count).mapToObj(String::valueOf).toList());
  }

  public static void main(String[] args) {
    fact("add creates, with label, content type and tags", () -> {
      ConfigurationSetting added =
          client.addConfigurationSetting(
              setting("add", "one").setLabel("dev").setContentType("text/plain").setTags(Map.of("team", "blue")));
      ConfigurationSetting read = client.getConfigurationSetting(PREFIX + "add", "dev");
      equal(List.of(read.getValue(), read.getLabel(), read.getContentType()), List.of("one", "dev", "text/plain"));
      equal(read.getTags(), Map.of("team", "blue"));
      equal(read.isReadOnly(), false);
      equal(read.getETag(), added.getETag());
      equal(read.getLastModified(), added.getLastModified());
    });

    fact("add is refused with 412 where something is", () -> {
      client.addConfigurationSetting(PREFIX + "add-twice", null, "one");
      refused(412, () -> client.addConfigurationSetting(PREFIX + "add-twice", null, "two"));
      equal(get("add-twice").getValue(), "one");
    });

    fact("set replaces, and with the entity tag that was read it does so only while nothing changed", () -> {
      ConfigurationSetting read = set("set", "one");
      client.setConfigurationSettingWithResponse(read.setValue("two"), true, Context.NONE);
      refused(412, () -> client.setConfigurationSettingWithResponse(read.setValue("three"), true, Context.NONE));
      equal(get("set").getValue(), "two");
    });

    fact("get is 404 where nothing is", () -> refused(404, () -> get("absent")));

    fact("get with the entity tag that was read is 304 until it changed", () -> {
      ConfigurationSetting read = set("changed", "one");
      equal(client.getConfigurationSettingWithResponse(read, null, true, Context.NONE).getStatusCode(), 304);
      set("changed", "two");
      equal(client.getConfigurationSettingWithResponse(read, null, true, Context.NONE).getValue().getValue(), "two");
    });

    fact("keys and labels keep every character", () -> {
      for (String name : List.of("größe/日本語/😀", "a/b//c/", "it's (really) a*b,c\\d!", "q?x=1&y#z;w +")) {
        client.setConfigurationSetting(PREFIX + name, name, name);
        ConfigurationSetting read = client.getConfigurationSetting(PREFIX + name, name);
        equal(List.of(read.getKey(), read.getLabel(), read.getValue()), List.of(PREFIX + name, name, name));
      }
    });

    fact("list follows the pages of more than 100 items, and filters by key, label and tag", () -> {
      for (String index : numbers(120)) set("list/" + "0".repeat(3 - index.length()) + index, index);
      client.setConfigurationSetting(setting("list/000", "labelled").setLabel("dev").setTags(Map.of("team", "red")));
      set("another", "outside");
      String all = PREFIX + "list/*";
      equal(list(select(all).setLabelFilter(NO_LABEL)), numbers(120));
      equal(list(select(all)).size(), 121);
      equal(list(select(PREFIX + "list/001," + PREFIX + "list/002")), List.of("1", "2"));
      equal(list(select(all).setLabelFilter("dev")), List.of("labelled"));
      equal(list(select(all).setTagsFilter(List.of("team=red"))), List.of("labelled"));
    });

    fact("pages that did not change are recognised by their entity tags", () -> {
      List<MatchConditions> tags = new ArrayList<>();
      SettingSelector selector = select(PREFIX + "list/*").setLabelFilter(NO_LABEL);
      for (PagedResponse<ConfigurationSetting> page : client.listConfigurationSettings(selector).iterableByPage()) {
        tags.add(new MatchConditions().setIfNoneMatch(page.getHeaders().getValue("ETag")));
      }
      equal(tags.size(), 2);
      selector.setMatchConditions(tags);
      List<Integer> statuses = new ArrayList<>();
      client.listConfigurationSettings(selector).iterableByPage().forEach(page -> statuses.add(page.getStatusCode()));
      set("list/110", "changed");
      client.listConfigurationSettings(selector).iterableByPage().forEach(page -> statuses.add(page.getStatusCode()));
      equal(statuses, List.of(304, 304, 304, 200));
    });

    fact("read-only settings refuse changes with 409 until they are unlocked", () -> {
      set("locked", "one");
      equal(client.setReadOnly(PREFIX + "locked", null, true).isReadOnly(), true);
      refused(409, () -> set("locked", "two"));
      refused(409, () -> client.deleteConfigurationSetting(PREFIX + "locked", null));
      equal(client.setReadOnly(PREFIX + "locked", null, false).isReadOnly(), false);
      set("locked", "two");
      equal(get("locked").getValue(), "two");
    });

    fact("a lock that nothing is under is 404", () -> refused(404, () -> client.setReadOnly(PREFIX + "absent", null, true)));

    fact("revisions are listed newest first, over the pages", () -> {
      List<String> expected = numbers(105);
      expected.forEach(value -> set("revisions", value));
      Collections.reverse(expected);
      equal(values(client.listRevisions(select(PREFIX + "revisions"))), expected);
    });

    fact("a read of the past gives what was, one setting or a list", () -> {
      OffsetDateTime first = set("as-of", "old").getLastModified();
      // The past is divided into seconds: only a write in a later one leaves the first as it was. Another setting, whose every
      // write must alter something, tells the time of the server.
      Instant deadline = Instant.now().plus(PATIENCE);
      while (!set("clock", UUID.randomUUID().toString()).getLastModified().isAfter(first)) {
        if (Instant.now().isAfter(deadline)) throw new AssertionError("the second does not end");
        Thread.sleep(50);
      }
      set("as-of", "new");
      equal(get("as-of").getValue(), "new");
      equal(client.getConfigurationSetting(PREFIX + "as-of", null, first).getValue(), "old");
      OffsetDateTime before = first.minusHours(1);
      refused(404, () -> client.getConfigurationSetting(PREFIX + "as-of", null, before));
      equal(list(select(PREFIX + "as-of").setAcceptDatetime(first)), List.of("old"));
    });

    fact("labels are listed once each", () -> {
      for (String name : List.of("a", "b")) client.setConfigurationSetting(PREFIX + name, PREFIX + "label", name);
      List<String> labels =
          client.listLabels(new SettingLabelSelector().setNameFilter(PREFIX + "label*")).stream()
              .map(SettingLabel::getName)
              .toList();
      equal(labels, List.of(PREFIX + "label"));
    });

    fact("a feature flag and a secret reference come back as what they are", () -> {
      FeatureFlagConfigurationSetting flag =
          new FeatureFlagConfigurationSetting(PREFIX + "Beta", true)
              .setClientFilters(
                  List.of(new FeatureFlagFilter("Microsoft.Percentage").setParameters(Map.of("Value", 25))));
      client.setConfigurationSetting(flag);
      ConfigurationSetting read = client.getConfigurationSetting(flag.getKey(), null);
      equal(read.getContentType(), "application/vnd.microsoft.appconfig.ff+json;charset=utf-8");
      equal(((FeatureFlagConfigurationSetting) read).isEnabled(), true);
      equal(((FeatureFlagConfigurationSetting) read).getClientFilters().get(0).getName(), "Microsoft.Percentage");
      String secret = "https://vault.example/secrets/password";
      client.setConfigurationSetting(new SecretReferenceConfigurationSetting(PREFIX + "secret", secret));
      equal(((SecretReferenceConfigurationSetting) get("secret")).getSecretId(), secret);
    });

    fact("a snapshot keeps what was, is archived and recovered", () -> {
      for (String index : numbers(103)) set("snapshot/" + "0".repeat(3 - index.length()) + index, index);
      String name = PREFIX.replace("/", "");
      List<ConfigurationSettingsFilter> filters = List.of(new ConfigurationSettingsFilter(PREFIX + "snapshot/*"));
      var snapshot = new ConfigurationSnapshot(filters).setRetentionPeriod(Duration.ofHours(1));
      var poller = client.beginCreateSnapshot(name, snapshot, Context.NONE).setPollInterval(Duration.ofMillis(50));
      poller.waitForCompletion(PATIENCE);
      ConfigurationSnapshot created = poller.getFinalResult();
      equal(created.getStatus(), ConfigurationSnapshotStatus.READY);
      equal(created.getItemCount(), 103L);
      equal(created.getRetentionPeriod(), Duration.ofHours(1));
      set("snapshot/000", "changed");
      client.deleteConfigurationSetting(PREFIX + "snapshot/001", null);
      equal(values(client.listConfigurationSettingsForSnapshot(name)), numbers(103));
      refused(409, () -> client.beginCreateSnapshot(name, new ConfigurationSnapshot(filters), Context.NONE).poll());
      ConfigurationSnapshot archived = client.archiveSnapshot(name);
      equal(archived.getStatus(), ConfigurationSnapshotStatus.ARCHIVED);
      equal(archived.getExpiresAt() != null, true);
      SnapshotSelector selector = new SnapshotSelector().setNameFilter(name).setStatus(ConfigurationSnapshotStatus.ARCHIVED);
      equal(client.listSnapshots(selector).stream().count(), 1L);
      ConfigurationSnapshot recovered = client.recoverSnapshot(name);
      equal(recovered.getStatus(), ConfigurationSnapshotStatus.READY);
      equal(recovered.getExpiresAt(), null);
      refused(404, () -> client.getSnapshot(name + "-absent"));
    });

    fact("delete gives what was, and nothing where nothing is", () -> {
      set("delete", "one");
      equal(client.deleteConfigurationSetting(PREFIX + "delete", null).getValue(), "one");
      refused(404, () -> get("delete"));
      equal(client.deleteConfigurationSettingWithResponse(setting("delete", null), false, Context.NONE).getStatusCode(), 204);
    });

    fact("delete with an entity tag is refused with 412 once the setting changed", () -> {
      ConfigurationSetting read = set("delete-if", "one");
      set("delete-if", "two");
      refused(412, () -> client.deleteConfigurationSettingWithResponse(read, true, Context.NONE));
      equal(get("delete-if").getValue(), "two");
    });

    System.out.println(ok + " ok, " + failed + " failed");
    System.exit(failed > 0 ? 1 : 0);
  }
}
