//go:build linux

package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/runtime"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	mostPids   = 4096 // processes and threads of a task
	cpuPeriod  = 100_000
)

// hierarchies are the places where tasks get control groups of their own. The zero value has none.
type hierarchies struct {
	// Unified is the folder for tasks in the v2 hierarchy, "" = there is none. It may lack controllers, and is used to end all of a task even so.
	Unified string `json:"unified,omitempty"`
	// Limits says that Unified has the controllers for memory, cpu and pids.
	Limits bool `json:"limits,omitempty"`
	// Split are folders for tasks in v1 hierarchies, by controller: "memory", "cpu", "pids".
	Split map[string]string `json:"split,omitempty"`
}

// label is how resources are limited, for people.
func (h hierarchies) label() string {
	if h.Limits {
		return "cgroup v2"
	}
	switch has := func(c string) bool { return h.Split[c] != "" }; {
	case has("memory") && has("cpu"):
		return "cgroup v1"
	case has("memory"):
		return "cgroup v1: no CPU limit"
	case has("cpu"):
		return "cgroup v1: no memory limit"
	}
	return "rlimits: no memory or CPU limit"
}

func (h hierarchies) limitsMemory() bool { return h.Limits || h.Split["memory"] != "" }

// detect finds what this machine offers, and makes the folder name for tasks in it. What can't be made is not used.
func detect(root, name string) hierarchies {
	if isFile(filepath.Join(root, "cgroup.controllers")) {
		return detectUnified(root, name)
	}
	var h hierarchies
	h.Split = map[string]string{}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		folder := filepath.Join(root, controller, name)
		if isFile(filepath.Join(root, controller, "cgroup.procs")) && usable(folder) {
			h.Split[controller] = folder
		}
	}
	if folder := filepath.Join(root, "unified", name); isFile(filepath.Join(root, "unified", "cgroup.controllers")) && usable(folder) {
		h.Unified = folder
	}
	return h
}

// detectUnified uses the root as root, and else what was delegated to this process. Children of a group that has processes of its own can't be limited, so where the
// delegated group is this process's own it first goes into one below.
func detectUnified(root, name string) hierarchies {
	parent := root
	if os.Geteuid() != 0 {
		own, err := ownUnified()
		if err != nil || own == "/" {
			return hierarchies{}
		}
		parent = filepath.Join(root, own)
		leaf := filepath.Join(parent, "neap")
		if os.Mkdir(leaf, 0o755) != nil && !isFile(filepath.Join(leaf, "cgroup.procs")) {
			return hierarchies{}
		}
		if os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0o644) != nil {
			return hierarchies{}
		}
	}
	folder := filepath.Join(parent, name)
	h := hierarchies{Unified: folder, Limits: enable(parent)}
	if !usable(folder) {
		return hierarchies{}
	}
	h.Limits = h.Limits && enable(folder)
	return h
}

// enable gives the groups below a folder the controllers that limits need.
func enable(folder string) bool {
	// A write that names what is on already succeeds; one that names what can't be had changes nothing.
	err := os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+memory +cpu +pids"), 0o644)
	return err == nil
}

// usable makes a folder, and a group in it for a try.
func usable(folder string) bool {
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	try := filepath.Join(folder, "try")
	if err := os.Mkdir(try, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	return os.Remove(try) == nil
}

func ownUnified() (string, error) {
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path, nil
		}
	}
	return "", errors.New("this process is in no unified control group")
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// groups are the control groups of one task.
type groups struct {
	hierarchies
	id string
}

func (g groups) folders() []string {
	var all []string
	if g.Unified != "" {
		all = append(all, filepath.Join(g.Unified, g.id))
	}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		if folder := g.Split[controller]; folder != "" {
			all = append(all, filepath.Join(folder, g.id))
		}
	}
	return all
}

// any says that the task has a group, by which all of its processes are found.
func (g groups) any() bool { return len(g.folders()) > 0 }

// limit makes the groups and sets what the task may use. Zero resources are not limited.
func (g groups) limit(r runtime.Resources) error {
	for _, folder := range g.folders() {
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making a control group: %w", err)
		}
	}
	bytes := strconv.FormatInt(r.MemoryMiB<<20, 10)
	quota := strconv.FormatInt(max(r.MilliCPU*cpuPeriod/1000, 1000), 10)
	pids := strconv.Itoa(mostPids)
	type setting struct {
		controller, file, value string
		optional                bool
	}
	settings := []setting{{"pids", "pids.max", pids, false}}
	if r.MemoryMiB > 0 && g.Limits {
		settings = append(settings, setting{"memory", "memory.max", bytes, false}, setting{"memory", "memory.swap.max", "0", true}, setting{"memory", "memory.oom.group", "1", true})
	} else if r.MemoryMiB > 0 {
		settings = append(settings, setting{"memory", "memory.limit_in_bytes", bytes, false}, setting{"memory", "memory.memsw.limit_in_bytes", bytes, true}, setting{"memory", "memory.swappiness", "0", true})
	}
	if r.MilliCPU > 0 && g.Limits {
		settings = append(settings, setting{"cpu", "cpu.max", quota + " " + strconv.Itoa(cpuPeriod), false})
	} else if r.MilliCPU > 0 {
		settings = append(settings, setting{"cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false}, setting{"cpu", "cpu.cfs_quota_us", quota, false})
	}
	for _, s := range settings {
		folder := g.of(s.controller)
		if folder == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, s.file), []byte(s.value), 0o644); err != nil && !s.optional {
			return fmt.Errorf("limiting a task: %w", err)
		}
	}
	return nil
}

// of is the group that a controller limits, "" = none does.
func (g groups) of(controller string) string {
	if g.Limits {
		return filepath.Join(g.Unified, g.id)
	}
	if folder := g.Split[controller]; folder != "" {
		return filepath.Join(folder, g.id)
	}
	return ""
}

// ranOutOfMemory says that the kernel ended processes because of the memory limit.
func (g groups) ranOutOfMemory() bool {
	name := filepath.Join(g.of("memory"), "memory.oom_control")
	if g.Limits {
		name = filepath.Join(g.of("memory"), "memory.events")
	}
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	for scan := bufio.NewScanner(file); scan.Scan(); {
		if n, ok := strings.CutPrefix(scan.Text(), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// enter puts the calling thread into the v1 groups, so that what it forks is born in them; leave takes it out again. v2 groups are entered by clone itself.
func (g groups) enter() (leave func(), err error) {
	thread := []byte(strconv.Itoa(unix.Gettid()))
	var back [][2]string // a hierarchy, and this process's own group in it
	leave = func() {
		for _, b := range back {
			if os.WriteFile(filepath.Join(b[0], b[1], "tasks"), thread, 0o644) != nil {
				_ = os.WriteFile(filepath.Join(b[0], "tasks"), thread, 0o644) // a container may not see its own group, only the one it calls the root
			}
		}
	}
	own, err := ownSplit()
	if err != nil {
		return nil, err
	}
	for controller, folder := range g.Split {
		if err := os.WriteFile(filepath.Join(folder, g.id, "tasks"), thread, 0o644); err != nil {
			leave()
			return nil, fmt.Errorf("entering a control group: %w", err)
		}
		back = append(back, [2]string{filepath.Dir(folder), own[controller]})
	}
	return leave, nil
}

// ownSplit are the paths of this process's own v1 groups, by controller.
func ownSplit() (map[string]string, error) {
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			for controller := range strings.SplitSeq(parts[1], ",") {
				own[controller] = parts[2]
			}
		}
	}
	return own, nil
}

// kill ends every process in the groups but this one, once, and tells whether there was any.
func (g groups) kill() bool {
	if g.Unified != "" && os.WriteFile(filepath.Join(g.Unified, g.id, "cgroup.kill"), []byte("1"), 0o644) == nil {
		return len(g.pids()) > 0
	}
	if folder := g.of("pids"); folder != "" {
		_ = os.WriteFile(filepath.Join(folder, "pids.max"), []byte("0"), 0o644) // nothing more is born meanwhile; where it fails the next round gets it
	}
	pids := g.pids()
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by itself
	}
	return len(pids) > 0
}

// pids are the processes in any of the groups, but this one.
func (g groups) pids() []int {
	var all []int
	for _, folder := range g.folders() {
		content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil {
			continue // the group is gone, or was never made
		}
		for field := range strings.FieldsSeq(string(content)) {
			if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() && !slices.Contains(all, pid) {
				all = append(all, pid)
			}
		}
	}
	return all
}

// remove removes the groups, which must be empty. The kernel may take a moment to see that they are.
func (g groups) remove() error {
	var failed error
	for _, folder := range g.folders() {
		for patience := 200; ; patience-- {
			err := os.Remove(folder)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if patience == 0 {
				failed = err
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return failed
}

// stale are the ids of tasks that have groups.
func (h hierarchies) stale() []string {
	var ids []string
	for _, parent := range (groups{hierarchies: h}).folders() {
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(ids, e.Name()) {
				ids = append(ids, e.Name())
			}
		}
	}
	return ids
}

// removeEmpty removes the folders for tasks that have none.
func (h hierarchies) removeEmpty() {
	for _, parent := range (groups{hierarchies: h}).folders() {
		_ = os.Remove(parent) // tasks go on in it
	}
}
