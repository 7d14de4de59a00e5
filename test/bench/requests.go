package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neap-cloud/neap/internal/app"
)

const (
	connections = 8
	round       = 2 * time.Second
	rounds      = 5 // of each, in turn: the machine's speed may drift
)

// smallGroup is a group that runs nothing, so that the engine has no part in the figures.
const smallGroup = `{"group":{"name":"bench","region":"us-east-1","capacity":{"target":0,"minimum":0,"maximum":4,"unit":"instance"},
"strategy":{"risk":100,"availabilityVsCost":"balanced"},
"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large"]},
"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]}],
"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false}}}}`

// measureRequests compares GET and POST of a group with a bare handler that does one SELECT or one INSERT.
func measureRequests(ctx context.Context, folder string) ([]figure, error) {
	a, err := app.Build(ctx, app.Config{Version: "bench", Data: filepath.Join(folder, "requests"), Seed: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := a.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	defer a.Stop(context.WithoutCancel(ctx))
	neap := httptest.NewServer(a.Handler)
	defer neap.Close()
	bare, closeBare, err := bareServer(ctx, filepath.Join(folder, "bare.db"), []byte(smallGroup))
	if err != nil {
		return nil, err
	}
	defer closeBare()

	pooled := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	ours := client{http: pooled, url: neap.URL, token: a.Admin}
	created, err := ours.do(ctx, http.MethodPost, "/aws/ec2/group", smallGroup)
	if err != nil {
		return nil, err
	}
	var group envelope
	if err := json.Unmarshal(created, &group); err != nil {
		return nil, err
	}
	yard := client{http: pooled, url: bare.URL}
	read, err := compare(ctx,
		func(ctx context.Context) error {
			_, err := ours.do(ctx, http.MethodGet, "/aws/ec2/group/"+group.Response.Items[0].ID, "")
			return err
		},
		func(ctx context.Context) error { _, err := yard.do(ctx, http.MethodGet, "/item/first", ""); return err })
	if err != nil {
		return nil, err
	}
	write, err := compare(ctx,
		func(ctx context.Context) error {
			_, err := ours.do(ctx, http.MethodPost, "/aws/ec2/group", smallGroup)
			return err
		},
		func(ctx context.Context) error {
			_, err := yard.do(ctx, http.MethodPost, "/item", smallGroup)
			return err
		})
	if err != nil {
		return nil, err
	}
	return []figure{
		read.figure("GET of a group, requests/s", "bare SELECT", 50),
		write.figure("POST of a small group, requests/s", "bare INSERT", 10),
	}, nil
}

// comparison holds the rates of both sides, round by round.
type comparison struct{ ours, yard []float64 }

func (c comparison) figure(name, yard string, percent float64) figure {
	ratios := make([]float64, len(c.ours))
	for n := range ratios {
		ratios[n] = 100 * c.ours[n] / c.yard[n]
	}
	ratio := median(ratios)
	return figure{
		name: name, measured: fmt.Sprintf("%.0f (%.0f %%)", median(c.ours), ratio), yard: fmt.Sprintf("%s %.0f", yard, median(c.yard)),
		bound: fmt.Sprintf("≥ %.0f %%", percent), holds: ratio >= percent,
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// compare loads both sides in turn, after a round that does not count.
func compare(ctx context.Context, ours, yard func(context.Context) error) (comparison, error) {
	var c comparison
	for n := range rounds + 1 {
		a, err := rate(ctx, ours)
		if err != nil {
			return c, err
		}
		b, err := rate(ctx, yard)
		if err != nil {
			return c, err
		}
		if n > 0 {
			c.ours, c.yard = append(c.ours, a), append(c.yard, b)
		}
	}
	return c, nil
}

// rate is how many requests a second succeed over a round of concurrent connections. One failure ends it.
func rate(ctx context.Context, request func(context.Context) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range connections {
		workers.Go(func() {
			for time.Since(began) < round && ctx.Err() == nil {
				if err := request(ctx); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	workers.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), context.Cause(ctx)
}

type client struct {
	http       *http.Client
	url, token string
}

func (c client) do(ctx context.Context, method, path, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return answer, err
}
