package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/runtime"
)

// evidence is the file in which the runtime keeps what began and ended.
func (o options) evidence() string { return filepath.Join(o.Data, "evidence") }

// node is a Neap whose tasks run inside of it, until it is killed.
func node(ctx context.Context, o options) error {
	jobs := app.Jobs{VCPUs: float64(o.Slots), MemoryMiB: int64(o.Slots) * 4096, Host: true}
	if !o.Real {
		instant, err := batchtest.NewInstant(o.evidence())
		if err != nil {
			return err
		}
		if o.Gate != "" {
			instant.Gate = gate(ctx, o.Gate)
		}
		jobs.Hosted = []runtime.Runtime{instant}
	}
	a, err := app.Build(ctx, app.Config{
		Version: "jobs", Data: o.Data, Seed: int64(o.Seed), Rate: o.Rate, Jobs: jobs,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.At)
	if err != nil {
		return err
	}
	if o.Storm > 0 {
		go storms(ctx, a, o)
	}
	server := &http.Server{Handler: a.Handler, BaseContext: a.Base, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// gate is closed when there is a file.
func gate(ctx context.Context, path string) <-chan struct{} {
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		for ctx.Err() == nil {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	}()
	return opened
}

// storms take machines back: now some, now all of them.
func storms(ctx context.Context, a *app.App, o options) {
	drawn := rand.New(rand.NewPCG(o.Seed, uint64(os.Getpid())))
	for ctx.Err() == nil {
		<-time.After(time.Duration(drawn.Int64N(2 * int64(o.Storm))))
		hosts, err := a.Capacity.Hosts(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "jobs: storm:", err)
			continue
		}
		part := drawn.Float64()
		var taken []string
		for _, h := range hosts {
			if h.Ready && h.Lifecycle == "spot" && drawn.Float64() < part {
				taken = append(taken, h.ID)
			}
		}
		if len(taken) == 0 {
			continue
		}
		if err := a.Fleet.Interrupt(ctx, a.Account.ID, "storm", taken); err != nil {
			fmt.Fprintln(os.Stderr, "jobs: storm:", err)
		}
	}
}
