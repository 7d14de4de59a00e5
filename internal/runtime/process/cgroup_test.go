package process

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/runtime"
)

// kernelFolder has files as the kernel would show them; what it does with what is written there is not tested here.
func kernelFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func written(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(content)
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestLimitsAreSetInTheWordsOfVersion2(t *testing.T) {
	h := hierarchies{Unified: t.TempDir(), Limits: true}
	g := groups{hierarchies: h, id: "t"}
	if err := g.limit(runtime.Resources{MilliCPU: 1500, MemoryMiB: 64}); err != nil {
		t.Fatal(err)
	}
	same(t, "limits", written(t, filepath.Join(h.Unified, "t")), map[string]string{
		"cpu.max": "150000 100000", "memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "4096",
	})
	if h.label() != "cgroup v2" || !h.limitsMemory() {
		t.Errorf("it is called %q", h.label())
	}
	if g.ranOutOfMemory() {
		t.Error("it ran out of memory before it began")
	}
	events := filepath.Join(h.Unified, "t", "memory.events")
	for content, want := range map[string]bool{"low 0\noom 1\noom_kill 0\n": false, "low 0\noom 3\noom_kill 2\noom_group_kill 1\n": true} {
		if err := os.WriteFile(events, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if g.ranOutOfMemory() != want {
			t.Errorf("%q means %v", content, !want)
		}
	}
}

func TestLimitsAreSetInTheWordsOfVersion1(t *testing.T) {
	top := t.TempDir()
	h := hierarchies{Split: map[string]string{}}
	for _, c := range []string{"memory", "cpu", "pids"} {
		h.Split[c] = filepath.Join(top, c)
		if err := os.Mkdir(h.Split[c], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g := groups{hierarchies: h, id: "t"}
	if err := g.limit(runtime.Resources{MilliCPU: 1, MemoryMiB: 1}); err != nil {
		t.Fatal(err)
	}
	same(t, "memory", written(t, filepath.Join(top, "memory/t")), map[string]string{"memory.limit_in_bytes": "1048576", "memory.memsw.limit_in_bytes": "1048576", "memory.swappiness": "0"})
	same(t, "cpu", written(t, filepath.Join(top, "cpu/t")), map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "1000"}) // the kernel's least
	same(t, "pids", written(t, filepath.Join(top, "pids/t")), map[string]string{"pids.max": "4096"})
	if err := (groups{hierarchies: h, id: "u"}).limit(runtime.Resources{}); err != nil {
		t.Fatal(err)
	}
	same(t, "memory of a task that asked for nothing", written(t, filepath.Join(top, "memory/u")), map[string]string{})
	stale := h.stale()
	if slices.Sort(stale); !slices.Equal(stale, []string{"t", "u"}) {
		t.Errorf("stale are %q", stale)
	}
}

func TestWhatAMachineOffersIsFoundOut(t *testing.T) {
	v2 := kernelFolder(t, map[string]string{"cgroup.controllers": "cpu memory pids", "cgroup.subtree_control": "", "neap-x/cgroup.subtree_control": ""})
	if os.Geteuid() == 0 {
		h := detect(v2, "neap-x")
		if h.label() != "cgroup v2" || h.Unified != filepath.Join(v2, "neap-x") {
			t.Errorf("a v2 machine: %+v", h)
		}
		content, err := os.ReadFile(filepath.Join(v2, "neap-x/cgroup.subtree_control"))
		if err != nil || string(content) != "+memory +cpu +pids" {
			t.Errorf("the children's controllers: %q, %v", content, err)
		}
	}
	for want, files := range map[string]map[string]string{
		"cgroup v1":                       {"memory/cgroup.procs": "", "cpu/cgroup.procs": "", "pids/cgroup.procs": "", "unified/cgroup.controllers": ""},
		"cgroup v1: no CPU limit":         {"memory/cgroup.procs": ""},
		"cgroup v1: no memory limit":      {"cpu/cgroup.procs": "", "pids/cgroup.procs": ""},
		"rlimits: no memory or CPU limit": {"pids/cgroup.procs": ""},
	} {
		h := detect(kernelFolder(t, files), "neap-x")
		if h.label() != want || (h.Unified != "") != strings.Contains(strings.Join(slices.Collect(maps.Keys(files)), " "), "unified") {
			t.Errorf("%q: %+v", want, h)
		}
		if len(h.stale()) > 0 {
			t.Errorf("%q: the try was left", want)
		}
	}
	if h := detect(t.TempDir(), "neap-x"); h.label() != "rlimits: no memory or CPU limit" || (groups{hierarchies: h, id: "t"}).any() {
		t.Errorf("a machine with nothing: %+v", h)
	}
}
