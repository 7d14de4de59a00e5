//go:build crash

package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// crashHook counts every commit and every provider call, and ends the process without warning at the one that NEAP_CRASH_AT names.
// It counts from the moment that the file NEAP_CRASH_ARMED exists, and appends each point to the file NEAP_CRASH_LOG, so that a test learns how many there are.
func crashHook() func(point string) {
	at, err := strconv.Atoi(os.Getenv("NEAP_CRASH_AT"))
	if err != nil {
		at = -1
	}
	armed, logName := os.Getenv("NEAP_CRASH_ARMED"), os.Getenv("NEAP_CRASH_LOG")
	var mu sync.Mutex
	count := 0
	return func(point string) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := os.Stat(armed); err != nil {
			return
		}
		count++
		if log, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintln(log, point)
			log.Close()
		}
		if count == at {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // nothing after this point may run while the signal is on its way
		}
	}
}
