package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/neap-cloud/neap/internal/app"
)

// figures are what one measured process tells.
type figures struct {
	Groups, Instances int
	Ready             time.Duration // from the start of wiring until it takes work
	SweepCPU          time.Duration // processor time from the start until every instance has been compared once
	SweepWall         time.Duration
	IdleCPU           time.Duration // processor time …
	IdleWall          time.Duration // … of so long a time at rest
	Memory            int64         // highest resident set so far, bytes, before the storm
	MemoryStorm       int64         // and after it
	Storm             *storm
	DatabaseBytes     int64
	Yardstick         [2]time.Duration // processor time of decoding one small document with the standard library, before and after everything else
}

// used is the processor time of this process so far.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails only for a wrong argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// highest is the highest resident set of this process.
func highest() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "VmHWM:"); is {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err == nil {
				return kilobytes * 1024
			}
		}
	}
	return 0
}

// measure starts the real app on a built installation and watches it.
func measure(ctx context.Context, o options) (f figures, err error) {
	if f.Yardstick[0], err = yardstick(); err != nil {
		return f, err
	}
	began, before := time.Now(), used()
	a, err := app.Build(ctx, config(o))
	if err != nil {
		return f, err
	}
	if err := a.Start(context.WithoutCancel(ctx)); err != nil {
		return f, err
	}
	f.Ready = time.Since(began)
	err = profiled(o, "sweep", func() error {
		f.SweepWall, err = until(ctx, 10*time.Minute, func() (bool, error) { return lookedAround(ctx, a, o) })
		if err != nil {
			return fmt.Errorf("look at every place: %w", err)
		}
		return settle(ctx)
	})
	if err != nil {
		return f, err
	}
	f.SweepCPU = used() - before
	size, err := a.Fleet.Size(ctx, "")
	if err != nil {
		return f, err
	}
	f.Groups, f.Instances = size.Groups, size.Instances
	err = profiled(o, "idle", func() error {
		began, before := time.Now(), used()
		if err := wait(ctx, o.Idle); err != nil {
			return err
		}
		f.IdleWall, f.IdleCPU = time.Since(began), used()-before
		return nil
	})
	if err != nil {
		return f, err
	}
	f.Memory = highest()
	if o.Notices > 0 {
		err = profiled(o, "storm", func() error {
			f.Storm, err = unleash(ctx, a, o)
			return err
		})
	}
	f.MemoryStorm, f.DatabaseBytes = highest(), fileBytes(o)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if stopped := a.Stop(patience); err == nil {
		err = stopped
	}
	if err == nil {
		f.Yardstick[1], err = yardstick()
	}
	return f, err
}

// yardstick is how fast this machine is just now, at work like ours: the figures of two runs can be compared only as multiples of it.
func yardstick() (each time.Duration, err error) {
	const times = 50_000
	text := []byte(`{"id":"i-0123456789abcdef0","market":{"type":"m5.large","zone":"us-east-1a","lifecycle":"spot"},"phase":"running","at":"2026-11-02T09:00:00Z","tags":["a","b","c"],"price":0.0337}`)
	before := used()
	for range times {
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			return 0, err
		}
	}
	return (used() - before) / times, nil
}

// lookedAround reports whether every place has been looked at since the start, which began a new generation.
func lookedAround(ctx context.Context, a *app.App, o options) (bool, error) {
	inst, err := a.Identity.Installation(ctx)
	if err != nil {
		return false, err
	}
	own, world, err := databases(o)
	if err != nil {
		return false, err
	}
	defer own.db.Close()
	defer world.db.Close()
	all := true
	err = eachDoc(ctx, own, "SELECT doc FROM places", func(text []byte) error {
		var doc struct{ Looked int64 }
		err := json.Unmarshal(text, &doc)
		all = all && doc.Looked >= inst.Generation
		return err
	})
	return all, err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle waits until two seconds have gone by with little work.
func settle(ctx context.Context) error {
	for {
		before := used()
		if err := wait(ctx, 2*time.Second); err != nil {
			return err
		}
		if used()-before < 400*time.Millisecond {
			return nil
		}
	}
}

// profiled runs work, under a profile when one is wanted.
func profiled(o options, name string, work func() error) error {
	if o.Profile == "" {
		return work()
	}
	if err := os.MkdirAll(o.Profile, 0o755); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(o.Profile, name+".pprof"))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}

// fileBytes is the size of Neap's own SQLite file, 0 on PostgreSQL.
func fileBytes(o options) int64 {
	info, err := os.Stat(filepath.Join(o.Data, "neap.db"))
	if err != nil || o.Database != "" {
		return 0
	}
	return info.Size()
}
