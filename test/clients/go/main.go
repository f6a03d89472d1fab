// What the official Go library does against a running service.
//
// Reads APPCONFIG_CONNECTION_STRING, prints one line for each fact and the counts at the end; exit code 1 when a fact failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

// Longer than anything here takes on a busy machine.
const patience = 30 * time.Second

// Keys of this run alone: the runner speaks to one service several times.
var prefix = fmt.Sprintf("go-%d/", time.Now().UnixNano())

var (
	ctx    = context.Background()
	client *azappconfig.Client
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

// refused checks the status with which the service refused a call.
func refused[T any](status int) func(T, error) {
	return func(_ T, err error) {
		var response *azcore.ResponseError
		if !errors.As(err, &response) {
			panic(fmt.Sprintf("expected status %d, found %v", status, err))
		}
		equal(response.StatusCode, status)
	}
}

func set(name, value string) azappconfig.SetSettingResponse {
	return must(client.SetSetting(ctx, prefix+name, &value, nil))
}

func valueOf(name string) string {
	return *must(client.GetSetting(ctx, prefix+name, nil)).Value
}

func collect[P any](pager *runtime.Pager[P], settings func(P) []azappconfig.Setting) []string {
	values := []string{}
	for pager.More() {
		for _, each := range settings(must(pager.NextPage(ctx))) {
			values = append(values, *each.Value)
		}
	}
	return values
}

func list(selector azappconfig.SettingSelector) []string {
	pager := client.NewListSettingsPager(selector, nil)
	return collect(pager, func(page azappconfig.ListSettingsPageResponse) []azappconfig.Setting { return page.Settings })
}

func numbers(count int) []string {
	values := make([]string, count)
	for index := range values {
		values[index] = fmt.Sprint(index)
	}
	return values
}

func main() {
	var err error
	client, err = azappconfig.NewClientFromConnectionString(os.Getenv("APPCONFIG_CONNECTION_STRING"), &azappconfig.ClientOptions{
		ClientOptions: policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}

	fact("add creates, with label and content type", func() {
		added := must(client.AddSetting(ctx, prefix+"add", to.Ptr("one"), &azappconfig.AddSettingOptions{
			Label: to.Ptr("dev"), ContentType: to.Ptr("text/plain"),
		}))
		read := must(client.GetSetting(ctx, prefix+"add", &azappconfig.GetSettingOptions{Label: to.Ptr("dev")}))
		equal([]string{*read.Value, *read.Label, *read.ContentType}, []string{"one", "dev", "text/plain"})
		equal(*read.IsReadOnly, false)
		equal(*read.ETag, *added.ETag)
	})

	fact("add is refused with 412 where something is", func() {
		must(client.AddSetting(ctx, prefix+"add-twice", to.Ptr("one"), nil))
		refused[azappconfig.AddSettingResponse](412)(client.AddSetting(ctx, prefix+"add-twice", to.Ptr("two"), nil))
		equal(valueOf("add-twice"), "one")
	})

	fact("set replaces, and with the entity tag that was read it does so only while nothing changed", func() {
		read := set("set", "one")
		unchanged := &azappconfig.SetSettingOptions{OnlyIfUnchanged: read.ETag}
		must(client.SetSetting(ctx, prefix+"set", to.Ptr("two"), unchanged))
		refused[azappconfig.SetSettingResponse](412)(client.SetSetting(ctx, prefix+"set", to.Ptr("three"), unchanged))
		equal(valueOf("set"), "two")
	})

	fact("get is 404 where nothing is", func() {
		refused[azappconfig.GetSettingResponse](404)(client.GetSetting(ctx, prefix+"absent", nil))
	})

	fact("get with the entity tag that was read is 304 until it changed", func() {
		read := set("changed", "one")
		options := &azappconfig.GetSettingOptions{OnlyIfChanged: read.ETag}
		refused[azappconfig.GetSettingResponse](304)(client.GetSetting(ctx, prefix+"changed", options))
		set("changed", "two")
		equal(*must(client.GetSetting(ctx, prefix+"changed", options)).Value, "two")
	})

	fact("keys and labels keep every character", func() {
		for _, name := range []string{"größe/日本語/😀", "a/b//c/", "it's (really) a*b,c\\d!", "q?x=1&y#z;w +"} {
			must(client.SetSetting(ctx, prefix+name, &name, &azappconfig.SetSettingOptions{Label: &name}))
			read := must(client.GetSetting(ctx, prefix+name, &azappconfig.GetSettingOptions{Label: &name}))
			equal([]string{*read.Key, *read.Label, *read.Value}, []string{prefix + name, name, name})
		}
	})

	fact("list follows the pages of more than 100 items, and filters by key and label", func() {
		for index, value := range numbers(120) {
			set(fmt.Sprintf("list/%03d", index), value)
		}
		must(client.SetSetting(ctx, prefix+"list/000", to.Ptr("labelled"), &azappconfig.SetSettingOptions{Label: to.Ptr("dev")}))
		set("another", "outside")
		all := to.Ptr(prefix + "list/*")
		equal(list(azappconfig.SettingSelector{KeyFilter: all, LabelFilter: to.Ptr("\x00")}), numbers(120))
		equal(len(list(azappconfig.SettingSelector{KeyFilter: all})), 121)
		pair := to.Ptr(prefix + "list/001," + prefix + "list/002")
		equal(list(azappconfig.SettingSelector{KeyFilter: pair}), []string{"1", "2"})
		equal(list(azappconfig.SettingSelector{KeyFilter: all, LabelFilter: to.Ptr("dev")}), []string{"labelled"})
	})

	fact("pages that did not change are recognised by their entity tags", func() {
		selector := azappconfig.SettingSelector{KeyFilter: to.Ptr(prefix + "list/*"), LabelFilter: to.Ptr("\x00")}
		read := func(conditions []azcore.MatchConditions) (tags []azcore.MatchConditions, sizes []int) {
			pager := client.NewListSettingsPager(selector, &azappconfig.ListSettingsOptions{MatchConditions: conditions})
			for pager.More() {
				page := must(pager.NextPage(ctx))
				tags = append(tags, azcore.MatchConditions{IfNoneMatch: page.ETag})
				sizes = append(sizes, len(page.Settings))
			}
			return
		}
		tags, sizes := read(nil)
		equal(sizes, []int{100, 20})
		_, sizes = read(tags)
		equal(sizes, []int{0, 0})
		set("list/110", "changed")
		_, sizes = read(tags)
		equal(sizes, []int{0, 20})
	})

	fact("read-only settings refuse changes with 409 until they are unlocked", func() {
		set("locked", "one")
		equal(*must(client.SetReadOnly(ctx, prefix+"locked", true, nil)).IsReadOnly, true)
		refused[azappconfig.SetSettingResponse](409)(client.SetSetting(ctx, prefix+"locked", to.Ptr("two"), nil))
		refused[azappconfig.DeleteSettingResponse](409)(client.DeleteSetting(ctx, prefix+"locked", nil))
		equal(*must(client.SetReadOnly(ctx, prefix+"locked", false, nil)).IsReadOnly, false)
		set("locked", "two")
		equal(valueOf("locked"), "two")
	})

	fact("a lock that nothing is under is 404, and one on a changed setting 412", func() {
		refused[azappconfig.SetReadOnlyResponse](404)(client.SetReadOnly(ctx, prefix+"absent", true, nil))
		read := set("lock-if", "one")
		set("lock-if", "two")
		unchanged := &azappconfig.SetReadOnlyOptions{OnlyIfUnchanged: read.ETag}
		refused[azappconfig.SetReadOnlyResponse](412)(client.SetReadOnly(ctx, prefix+"lock-if", true, unchanged))
		equal(*must(client.GetSetting(ctx, prefix+"lock-if", nil)).IsReadOnly, false)
	})

	fact("revisions are listed newest first, over the pages", func() {
		expected := numbers(105)
		for index, value := range numbers(105) {
			set("revisions", value)
			expected[104-index] = value
		}
		pager := client.NewListRevisionsPager(azappconfig.SettingSelector{KeyFilter: to.Ptr(prefix + "revisions")}, nil)
		equal(collect(pager, func(page azappconfig.ListRevisionsPageResponse) []azappconfig.Setting { return page.Settings }), expected)
	})

	fact("a read of the past gives what was", func() {
		first := set("as-of", "old")
		// The past is divided into seconds: only a write in a later one leaves the first as it was. Another setting, whose every
		// write must alter something, tells the time of the server.
		deadline := time.Now().Add(patience)
		for tick := 0; !set("clock", fmt.Sprint(tick)).Setting.LastModified.After(*first.Setting.LastModified); tick++ {
			if time.Now().After(deadline) {
				panic("the second does not end")
			}
			time.Sleep(50 * time.Millisecond)
		}
		set("as-of", "new")
		equal(valueOf("as-of"), "new")
		asOf := &azappconfig.GetSettingOptions{AcceptDateTime: first.Setting.LastModified}
		equal(*must(client.GetSetting(ctx, prefix+"as-of", asOf)).Value, "old")
		before := &azappconfig.GetSettingOptions{AcceptDateTime: to.Ptr(first.Setting.LastModified.Add(-time.Hour))}
		refused[azappconfig.GetSettingResponse](404)(client.GetSetting(ctx, prefix+"as-of", before))
	})

	fact("a list of the past, which this library asks for in the wrong place, gives the present", func() {
		selector := azappconfig.SettingSelector{KeyFilter: to.Ptr(prefix + "as-of"), AcceptDateTime: to.Ptr(time.Now().Add(-time.Hour))}
		equal(list(selector), []string{"new"})
	})

	fact("a snapshot keeps what was, is archived and recovered", func() {
		for index, value := range numbers(103) {
			set(fmt.Sprintf("snapshot/%03d", index), value)
		}
		name := strings.TrimSuffix(prefix, "/")
		filters := []azappconfig.SettingFilter{{KeyFilter: to.Ptr(prefix + "snapshot/*")}}
		options := &azappconfig.BeginCreateSnapshotOptions{RetentionPeriod: to.Ptr(int64(3600))}
		poller := must(client.BeginCreateSnapshot(ctx, name, filters, options))
		created := must(poller.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: time.Second}))
		equal(*created.Name, name)
		read := must(client.GetSnapshot(ctx, name, nil))
		equal(*read.Status, azappconfig.SnapshotStatusReady)
		equal([]int64{*read.ItemsCount, *read.RetentionPeriod}, []int64{103, 3600})
		set("snapshot/000", "changed")
		must(client.DeleteSetting(ctx, prefix+"snapshot/001", nil))
		pager := client.NewListSettingsForSnapshotPager(name, nil)
		equal(collect(pager, func(page azappconfig.ListSettingsForSnapshotResponse) []azappconfig.Setting { return page.Settings }), numbers(103))
		_, err := client.BeginCreateSnapshot(ctx, name, filters, nil)
		refused[any](409)(nil, err)
		archived := must(client.ArchiveSnapshot(ctx, name, nil))
		equal(*archived.Status, azappconfig.SnapshotStatusArchived)
		equal(archived.Expires != nil, true)
		snapshots := client.NewListSnapshotsPager(&azappconfig.ListSnapshotsOptions{
			Name: &name, Status: []azappconfig.SnapshotStatus{azappconfig.SnapshotStatusArchived},
		})
		equal(len(must(snapshots.NextPage(ctx)).Snapshots), 1)
		recovered := must(client.RecoverSnapshot(ctx, name, nil))
		equal(*recovered.Status, azappconfig.SnapshotStatusReady)
		equal(recovered.Expires == nil, true)
		refused[azappconfig.GetSnapshotResponse](404)(client.GetSnapshot(ctx, name+"-absent", nil))
	})

	fact("delete removes, and succeeds where nothing is", func() {
		set("delete", "one")
		equal(*must(client.DeleteSetting(ctx, prefix+"delete", nil)).Value, "one")
		refused[azappconfig.GetSettingResponse](404)(client.GetSetting(ctx, prefix+"delete", nil))
		must(client.DeleteSetting(ctx, prefix+"delete", nil))
	})

	fact("delete with an entity tag is refused with 412 once the setting changed", func() {
		read := set("delete-if", "one")
		set("delete-if", "two")
		unchanged := &azappconfig.DeleteSettingOptions{OnlyIfUnchanged: read.ETag}
		refused[azappconfig.DeleteSettingResponse](412)(client.DeleteSetting(ctx, prefix+"delete-if", unchanged))
		equal(valueOf("delete-if"), "two")
	})

	fmt.Printf("%d ok, %d failed\n", ok, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
