//go:build crash

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/neap-cloud/neap/internal/app"
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

// unusual reads what a rehearsal of a bad day asks for: NEAP_TEST_WORLD and NEAP_TEST_OWNER are texts, NEAP_TEST_CLOCK_FILE is a file with a duration
// ("-1h") that is read anew each time; while it is missing or unreadable, the clock is right. NEAP_TEST_MISHAPS_FILE is one with what goes wrong at the clouds.
func unusual() app.Unusual {
	u := app.Unusual{World: os.Getenv("NEAP_TEST_WORLD"), Owner: os.Getenv("NEAP_TEST_OWNER")}
	if file := os.Getenv("NEAP_TEST_CLOCK_FILE"); file != "" {
		u.Skew = func() time.Duration {
			text, err := os.ReadFile(file)
			if err != nil {
				return 0
			}
			skew, err := time.ParseDuration(strings.TrimSpace(string(text)))
			if err != nil {
				return 0
			}
			return skew
		}
	}
	if file := os.Getenv("NEAP_TEST_MISHAPS_FILE"); file != "" {
		u.Around = app.Mishaps(file)
	}
	return u
}
