import io.dapr.client.DaprClient;
import io.dapr.client.DaprClientBuilder;
import io.dapr.client.DaprPreviewClient;
import io.dapr.client.domain.UnlockResponseStatus;
import io.dapr.config.Properties;
import io.dapr.exceptions.DaprException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

/**
 * What Dapr's official Java library does against a running service.
 *
 * <p>Reads DAPR_HTTP_ENDPOINT, DAPR_GRPC_ENDPOINT and DAPR_API_TOKEN as the library itself does, prints one line for each fact and the
 * counts at the end; exit code 1 when a fact failed.
 */
public final class DaprProgram {
  private static final String STORE = "lockstore";
  /** Resources of this run alone: the runner speaks to one service several times. */
  private static final String PREFIX = "java-" + UUID.randomUUID() + "/";
  /** Longer than anything here takes on a busy machine. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final int LONG = 60;

  private static final DaprClient client = new DaprClientBuilder().build();
  private static final DaprPreviewClient preview = new DaprClientBuilder().buildPreviewClient();

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

  /** Checks the code and the text with which the service refuses the call; the library puts the code before the text. */
  private static void refused(String code, String message, Fact call) throws Exception {
    try {
      call.run();
    } catch (DaprException error) {
      equal(error.getErrorCode(), code);
      equal(error.getMessage(), code + ": " + message);
      return;
    }
    throw new AssertionError("expected " + code);
  }

  private static boolean lock(String name, String owner, int seconds) {
    return preview.tryLock(STORE, PREFIX + name, owner, seconds).block(PATIENCE);
  }

  private static UnlockResponseStatus unlock(String name, String owner) {
    return preview.unlock(STORE, PREFIX + name, owner).block(PATIENCE);
  }

  public static void main(String[] args) throws Exception {
    fact("the health check over HTTP succeeds", () -> client.waitForSidecar((int) PATIENCE.toMillis()).block());

    fact("the metadata names the lock store", () -> {
      List<String> stores =
          client.getMetadata().block(PATIENCE).getComponents().stream()
              .filter(each -> each.getName().equals(STORE))
              .map(each -> each.getType() + " " + each.getVersion())
              .toList();
      equal(stores, List.of("lock.postgres v1"));
    });

    fact("a lock is taken, and refused to anybody, its owner included", () -> {
      equal(lock("lock", "a", LONG), true);
      equal(lock("lock", "b", LONG), false);
      equal(lock("lock", "a", LONG), false);
      equal(lock("lock/another", "b", LONG), true);
    });

    fact("unlock says released, not there and somebody else's", () -> {
      equal(unlock("unlock", "a"), UnlockResponseStatus.LOCK_UNEXIST);
      lock("unlock", "a", LONG);
      equal(unlock("unlock", "b"), UnlockResponseStatus.LOCK_BELONG_TO_OTHERS);
      equal(unlock("unlock", "a"), UnlockResponseStatus.SUCCESS);
      equal(unlock("unlock", "a"), UnlockResponseStatus.LOCK_UNEXIST);
    });

    fact("a lock that was left to expire is handed over", () -> {
      equal(lock("expiry", "a", 1), true);
      equal(lock("expiry", "a", LONG), false);
      Instant deadline = Instant.now().plus(PATIENCE);
      while (!lock("expiry", "b", LONG)) {
        if (Instant.now().isAfter(deadline)) throw new AssertionError("it does not expire");
        Thread.sleep(50);
      }
      equal(unlock("expiry", "a"), UnlockResponseStatus.LOCK_BELONG_TO_OTHERS);
    });

    fact("resources and owners keep every character", () -> {
      String name = " größe/日本語/😀 | \"q\" \\ %2F+?&#";
      equal(lock(name, " Ä ", LONG), true);
      equal(unlock(name, "Ä"), UnlockResponseStatus.LOCK_BELONG_TO_OTHERS);
      equal(unlock(name, " Ä "), UnlockResponseStatus.SUCCESS);
    });

    fact("an unknown store is refused with INVALID_ARGUMENT", () -> {
      String message = "lock store absent not found";
      refused("INVALID_ARGUMENT", message, () -> preview.tryLock("absent", PREFIX + "a", "a", LONG).block(PATIENCE));
      refused("INVALID_ARGUMENT", message, () -> preview.unlock("absent", PREFIX + "a", "a").block(PATIENCE));
    });

    fact("an expiry of 0 reaches the service, which refuses it with INVALID_ARGUMENT", () -> {
      String message = "ExpiryInSeconds is not positive in lock store lockstore";
      refused("INVALID_ARGUMENT", message, () -> lock("seconds", "a", 0));
    });

    fact("a negative expiry does not leave the client, which goes on working", () -> {
      boolean isRefused = false;
      try {
        lock("seconds", "a", -5);
      } catch (IllegalArgumentException error) {
        isRefused = true;
      }
      equal(isRefused, true);
      equal(lock("seconds", "a", LONG), true);
    });

    fact("two pipes in a row are refused with INTERNAL", () -> {
      String message = "failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'";
      refused("INTERNAL", message, () -> preview.tryLock(STORE, "a||b", "a", LONG).block(PATIENCE));
    });

    String token = System.getenv("DAPR_API_TOKEN");
    if (token != null && !token.isEmpty()) {
      fact("a wrong token is refused with UNAUTHENTICATED", () -> {
        DaprClientBuilder wrong = new DaprClientBuilder().withPropertyOverride(Properties.API_TOKEN, "another token");
        try (DaprPreviewClient stranger = wrong.buildPreviewClient()) {
          Fact call = () -> stranger.tryLock(STORE, PREFIX + "token", "a", LONG).block(PATIENCE);
          refused("UNAUTHENTICATED", "Unauthorized", call);
        }
        equal(lock("token", "b", LONG), true);
      });
    }

    preview.close();
    client.close();
    System.out.println(ok + " ok, " + failed + " failed");
    System.exit(failed > 0 ? 1 : 0);
  }
}
