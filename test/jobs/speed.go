package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// probes is how many urgent jobs are submitted while the others are worked off.
const probes = 400

// speed measures, on a store that is flushed at every commit: how fast jobs are taken while none can begin, what that costs in memory, how fast they are worked off
// then, and how soon an urgent job begins meanwhile; and at last how fast jobs go from submission to their end when both happens at once.
func speed(ctx context.Context, o options) error {
	if err := inside(ctx, o); err != nil {
		return err
	}
	o.Data, o.Real, o.Slots = filepath.Join(o.Data, "real"), true, 8
	return processes(ctx, o)
}

// processes measures the same with processes of this machine that do nothing.
func processes(ctx context.Context, o options) (err error) {
	const jobs = 500
	o.Storm, o.Rate = 0, 1
	c, token, err := launched(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = orFirst(err, c.kill()) }()
	if _, err := c.flood(ctx, token, 1); err != nil { // a machine boots first
		return err
	}
	if err := c.drained(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := c.flood(ctx, token, jobs); err != nil {
		return err
	}
	if err := c.drained(ctx); err != nil {
		return err
	}
	fmt.Printf("%d real processes that do nothing, %d at a time: %.0f a second.\n", jobs, o.Slots, jobs/time.Since(began).Seconds())
	return err
}

// inside measures jobs whose tasks run inside of the node.
func inside(ctx context.Context, o options) (err error) {
	o.Storm, o.Rate, o.Gate = 0, 1, filepath.Join(o.Data, "gate")
	c, token, err := launched(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = orFirst(err, c.kill()) }()
	before, _, err := c.memory()
	if err != nil {
		return err
	}
	took, err := c.flood(ctx, token, o.Jobs)
	if err != nil {
		return err
	}
	full, _, err := c.memory()
	if err != nil {
		return err
	}
	fmt.Printf("%d jobs were taken through the API in %.1f s: %.0f a second. Resident memory: %d MiB before, %d MiB with all of them waiting.\n",
		o.Jobs, took.Seconds(), float64(o.Jobs)/took.Seconds(), before, full)
	if err := os.WriteFile(o.Gate, nil, 0o600); err != nil {
		return err
	}
	began := time.Now()
	probed := make(chan error, 1)
	var waits []time.Duration
	go func() { waits, err = c.probe(ctx, token); probed <- err }()
	if err := c.drained(ctx); err != nil {
		return err
	}
	took = time.Since(began)
	_, most, err := c.memory()
	if err != nil {
		return err
	}
	if err := <-probed; err != nil {
		return err
	}
	fmt.Printf("They were worked off in %.1f s: %.0f a second. Resident memory: %d MiB at most.\n", took.Seconds(), float64(o.Jobs)/took.Seconds(), most)
	slices.Sort(waits)
	fmt.Printf("An urgent job submitted meanwhile began after %s (p50), %s (p99), %s (longest of %d).\n",
		waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1], len(waits))
	began = time.Now()
	if _, err := c.flood(ctx, token, o.Jobs); err != nil {
		return err
	}
	if err := c.drained(ctx); err != nil {
		return err
	}
	took = time.Since(began)
	fmt.Printf("%d jobs went from submission to their end in %.1f s: %.0f a second.\n", o.Jobs, took.Seconds(), float64(o.Jobs)/took.Seconds())
	return err
}

func orFirst(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// flood submits jobs over many connections.
func (c *client) flood(ctx context.Context, token string, jobs int) (time.Duration, error) {
	began := time.Now()
	var next atomic.Int64
	var working sync.WaitGroup
	failed := make(chan error, 64)
	for range cap(failed) {
		working.Go(func() {
			for n := int(next.Add(1)); n <= jobs; n = int(next.Add(1)) {
				job := submission(n, "true")
				job["priority"] = "LOW"
				if c.Real {
					job["image"] = "host"
				}
				if _, err := c.submit(ctx, token, "", job); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	working.Wait()
	close(failed)
	return time.Since(began), <-failed
}

// drained waits until every job has come to its end.
func (c *client) drained(ctx context.Context) error {
	least, moved := 0, time.Now()
	for ctx.Err() == nil {
		n, err := c.standing()
		switch {
		case err != nil:
			return err
		case n == 0:
			return nil
		case n != least:
			least, moved = n, time.Now()
		case time.Since(moved) > patience:
			return fmt.Errorf("%d jobs are stuck", n)
		}
		<-time.After(20 * time.Millisecond)
	}
	return ctx.Err()
}

// probe submits urgent jobs, one after the other, and tells after how long each was given its place.
func (c *client) probe(ctx context.Context, token string) (waits []time.Duration, err error) {
	for n := range probes {
		job := submission(n, "true")
		job["priority"] = "HIGH"
		id, err := c.submit(ctx, token, "", job)
		if err != nil {
			return nil, err
		}
		wait, err := c.waited(ctx, token, id)
		if err != nil {
			return nil, err
		}
		waits = append(waits, wait)
	}
	return waits, nil
}

// waited asks until a job has begun, and tells from the job's own account how long that took.
func (c *client) waited(ctx context.Context, token, id string) (time.Duration, error) {
	var job struct {
		SubmittedAt time.Time
		Attempts    []struct{ At time.Time }
	}
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.At+"/neap/v1/jobs/"+id, nil)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := c.http.Do(request)
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("read job %s: %d %.200s: %w", id, answer.StatusCode, text, err)
		}
		if err := json.Unmarshal(text, &job); err != nil {
			return 0, err
		}
		if len(job.Attempts) > 0 {
			return job.Attempts[0].At.Sub(job.SubmittedAt), nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return 0, ctx.Err()
}
