//go:build linux

package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// descendants are the living processes below one, found by their parents. Orphans count where the process is the parent of orphans.
func descendants(of int) []int {
	parents := map[int]int{}
	for _, pid := range processes() {
		if parent, living := parentOf(pid); living {
			parents[pid] = parent
		}
	}
	var below []int
	for pid := range parents {
		up, steps := pid, 0
		for up != of && up > 1 && steps < 1000 {
			up = parents[up]
			steps++
		}
		if up == of && pid != of {
			below = append(below, pid)
		}
	}
	return below
}

func processes() []int {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var all []int
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// parentOf tells a process's parent, and whether it is more than a zombie.
func parentOf(pid int) (parent int, living bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The name in parentheses may hold anything, parentheses too.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, err == nil && fields[0] != "Z" && fields[0] != "X"
}

// markVariable is in the environment of all that a task starts.
const markVariable = "NEAP_TASK"

// killMarked kills the processes that were started with a mark in their environment, once, and tells whether there was any.
func killMarked(mark string) bool {
	found := false
	want := []byte(markVariable + "=" + mark)
	for _, pid := range processes() {
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if err != nil {
			continue // not ours to read, or gone
		}
		for line := range bytes.SplitSeq(environ, []byte{0}) {
			if bytes.Equal(line, want) && pid != os.Getpid() {
				_ = unix.Kill(pid, unix.SIGKILL)
				found = true
			}
		}
	}
	return found
}
