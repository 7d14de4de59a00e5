package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// patience is for how long nothing at all may come to its end.
const patience = 3 * time.Minute

// ordeal submits jobs while the node is killed and its machines are taken back, waits for all to come to their end, and judges what is left.
func ordeal(ctx context.Context, o options) error {
	c, token, err := launched(ctx, o)
	if err != nil {
		return err
	}
	began := time.Now()
	ids := make([]string, o.Jobs)
	submitted := make(chan error, 1)
	go func() { submitted <- c.submitAll(ctx, token, ids) }()
	kills, err := c.outlast(ctx, submitted)
	if err != nil {
		return errors.Join(err, c.kill())
	}
	if err := c.kill(); err != nil {
		return err
	}
	verdict, err := judge(c.Data, o.evidence(), ids)
	if err != nil {
		return err
	}
	fmt.Printf("%d jobs in %s; the node was killed %d times.\n%s", o.Jobs, time.Since(began).Round(time.Second), kills, verdict)
	if len(verdict.Problems) > 0 {
		return fmt.Errorf("%d promises were broken", len(verdict.Problems))
	}
	return nil
}

// submitAll submits every job, some at a time. Most do nothing, one in ten takes a while, and one in two hundred for so long that it hardly escapes kills and storms.
func (c *client) submitAll(ctx context.Context, token string, ids []string) error {
	var next atomic.Int64
	var working sync.WaitGroup
	failed := make(chan error, 32)
	for range cap(failed) {
		working.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(ids) {
					return
				}
				command := []string{"true"}
				switch {
				case n%200 == 100:
					command = []string{"sleep", (c.Kill * 6 / 10).String()}
				case n%10 == 0:
					command = []string{"sleep", fmt.Sprint(n%700, "ms")}
				}
				id, err := c.submit(ctx, token, fmt.Sprint("job-", n), submission(n, command...))
				if err != nil {
					failed <- err
					return
				}
				ids[n] = id
			}
		})
	}
	working.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// outlast kills the node again and again until all jobs were submitted and have come to their end.
func (c *client) outlast(ctx context.Context, submitted <-chan error) (kills int, err error) {
	drawn := rand.New(rand.NewPCG(c.Seed, 2))
	all, least, moved := false, 0, time.Now()
	for killAt := c.next(drawn); ctx.Err() == nil; {
		select {
		case err := <-submitted:
			if err != nil {
				return kills, err
			}
			all, submitted = true, nil
		case <-time.After(100 * time.Millisecond):
		}
		n, err := c.standing()
		if err != nil {
			n = least + 1
		}
		if all && n == 0 && err == nil {
			return kills, nil
		}
		if n != least {
			least, moved = n, time.Now()
		}
		if time.Since(moved) > patience {
			return kills, fmt.Errorf("%d jobs are stuck: nothing has changed for %s", n, patience)
		}
		if c.Kill > 0 && time.Now().After(killAt) {
			if err := c.kill(); err != nil {
				return kills, err
			}
			kills++
			if err := c.start(ctx); err != nil {
				return kills, err
			}
			fmt.Fprintf(os.Stderr, "jobs: killed %d times, about %d jobs are under way\n", kills, n)
			killAt = c.next(drawn)
		}
	}
	return kills, ctx.Err()
}

// next is when the node is killed next.
func (c *client) next(drawn *rand.Rand) time.Time {
	if c.Kill == 0 {
		return time.Time{}
	}
	return time.Now().Add(c.Kill/2 + time.Duration(drawn.Int64N(int64(c.Kill))))
}
