// What Dapr's official Go library does against a running service.
//
// Reads DAPR_GRPC_ENDPOINT and DAPR_API_TOKEN as the library itself does, prints one line for each fact and the counts at the end;
// exit code 1 when a fact failed.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	store = "lockstore"
	// Longer than anything here takes on a busy machine.
	patience = 30 * time.Second
	long     = 60
)

// Resources of this run alone: the runner speaks to one service several times.
var prefix = fmt.Sprintf("go-%d/", time.Now().UnixNano())

var (
	ctx    = context.Background()
	client dapr.Client
	ok     int
	failed int
)

// fact runs the function at once and says how it went. What the function finds wrong, it panics about.
func fact(name string, run func()) {
	defer func() {
		if failure := recover(); failure != nil {
			failed++
			fmt.Printf("FAILED %s: %v\n", name, strings.ReplaceAll(fmt.Sprint(failure), "\n", " "))
			return
		}
		ok++
		fmt.Printf("ok %s\n", name)
	}()
	run()
}

func must[T any](result T, err error) T {
	if err != nil {
		panic(err)
	}
	return result
}

func equal(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("found %v, expected %v", found, expected))
	}
}

// refused checks the code and the text with which the service refused a call; the library wraps them.
func refused[T any](code codes.Code, message string) func(T, error) {
	return func(_ T, err error) {
		equal(status.Code(err), code)
		if !strings.HasSuffix(err.Error(), message) {
			panic(fmt.Sprintf("found %q, expected %q", err.Error(), message))
		}
	}
}

func tryLock(storeName, resource, owner string, seconds int32) (*dapr.LockResponse, error) {
	request := &dapr.LockRequest{ResourceID: resource, LockOwner: owner, ExpiryInSeconds: seconds}
	return client.TryLockAlpha1(ctx, storeName, request)
}

func lock(name, owner string, seconds int32) bool {
	return must(tryLock(store, prefix+name, owner, seconds)).Success
}

func tryUnlock(storeName, resource, owner string) (*dapr.UnlockResponse, error) {
	return client.UnlockAlpha1(ctx, storeName, &dapr.UnlockRequest{ResourceID: resource, LockOwner: owner})
}

func unlock(name, owner string) string {
	response := must(tryUnlock(store, prefix+name, owner))
	return fmt.Sprintf("%d %s", response.StatusCode, response.Status)
}

const (
	released    = "0 SUCCESS"
	notHeld     = "1 LOCK_DOES_NOT_EXIST"
	heldByOther = "2 LOCK_BELONGS_TO_OTHERS"
)

func main() {
	dapr.SetLogger(nil)
	var err error
	client, err = dapr.NewClient()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer client.Close()

	fact("the client waits until the port takes connections", func() {
		if err := client.Wait(ctx, patience); err != nil {
			panic(err)
		}
	})

	fact("the metadata names the lock store", func() {
		for _, each := range must(client.GetMetadata(ctx)).RegisteredComponents {
			if each.Name == store {
				equal([]string{each.Type, each.Version}, []string{"lock.postgres", "v1"})
				return
			}
		}
		panic("it is not there")
	})

	fact("a metadata label is set and read", func() {
		if err := client.SetMetadata(ctx, "go", prefix); err != nil {
			panic(err)
		}
		equal(must(client.GetMetadata(ctx)).ExtendedMetadata["go"], prefix)
	})

	fact("a lock is taken, and refused to anybody, its owner included", func() {
		equal(lock("lock", "a", long), true)
		equal(lock("lock", "b", long), false)
		equal(lock("lock", "a", long), false)
		equal(lock("lock/another", "b", long), true)
	})

	fact("unlock says released, not there and somebody else's", func() {
		equal(unlock("unlock", "a"), notHeld)
		lock("unlock", "a", long)
		equal(unlock("unlock", "b"), heldByOther)
		equal(unlock("unlock", "a"), released)
		equal(unlock("unlock", "a"), notHeld)
	})

	fact("a lock that was left to expire is handed over", func() {
		equal(lock("expiry", "a", 1), true)
		equal(lock("expiry", "a", long), false)
		deadline := time.Now().Add(patience)
		for !lock("expiry", "b", long) {
			if time.Now().After(deadline) {
				panic("it does not expire")
			}
			time.Sleep(50 * time.Millisecond)
		}
		equal(unlock("expiry", "a"), heldByOther)
	})

	fact("resources and owners keep every character", func() {
		name := " größe/日本語/😀 | \"q\" \\ %2F+?&#"
		equal(lock(name, " Ä ", long), true)
		equal(unlock(name, "Ä"), heldByOther)
		equal(unlock(name, " Ä "), released)
	})

	fact("an unknown store is refused with INVALID_ARGUMENT", func() {
		message := "lock store absent not found"
		refused[*dapr.LockResponse](codes.InvalidArgument, message)(tryLock("absent", prefix+"a", "a", long))
		refused[*dapr.UnlockResponse](codes.InvalidArgument, message)(tryUnlock("absent", prefix+"a", "a"))
	})

	fact("an empty resource or owner is refused with INVALID_ARGUMENT", func() {
		resource, owner := "ResourceId is empty in lock store lockstore", "LockOwner is empty in lock store lockstore"
		refused[*dapr.LockResponse](codes.InvalidArgument, resource)(tryLock(store, "", "a", long))
		refused[*dapr.LockResponse](codes.InvalidArgument, owner)(tryLock(store, prefix+"a", "", long))
		refused[*dapr.UnlockResponse](codes.InvalidArgument, resource)(tryUnlock(store, "", "a"))
		refused[*dapr.UnlockResponse](codes.InvalidArgument, owner)(tryUnlock(store, prefix+"a", ""))
	})

	fact("expiries of 0 and below are refused with INVALID_ARGUMENT", func() {
		for _, seconds := range []int32{0, -5, -2147483648} {
			message := "ExpiryInSeconds is not positive in lock store lockstore"
			refused[*dapr.LockResponse](codes.InvalidArgument, message)(tryLock(store, prefix+"a", "a", seconds))
		}
	})

	fact("two pipes in a row are refused with INTERNAL", func() {
		message := "failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'"
		refused[*dapr.LockResponse](codes.Internal, message)(tryLock(store, "a||b", "a", long))
	})

	if token := os.Getenv("DAPR_API_TOKEN"); token != "" {
		fact("a wrong token is refused with UNAUTHENTICATED", func() {
			client.WithAuthToken("another token")
			refused[*dapr.LockResponse](codes.Unauthenticated, "Unauthorized")(tryLock(store, prefix+"token", "a", long))
			client.WithAuthToken(token)
			equal(lock("token", "b", long), true)
		})
	}

	fmt.Printf("%d ok, %d failed\n", ok, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
