package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// storm is what became of many interruptions within a minute.
type storm struct {
	Notices    int
	Replaced   int           // of them, by the end
	Median     time.Duration // from a notice until its replacement was asked of the cloud for the first time
	P99        time.Duration
	Worst      time.Duration
	Healthy    time.Duration // from the first notice until the last replacement was healthy
	LowerBound time.Duration // the same, had every launch been asked for at its notice, as fast as the request buckets allow
	CPU        time.Duration // processor time of the whole storm
}

// lost is one interrupted instance.
type lost struct {
	id, account, region string
	notice              time.Time // when it could be read: some come late
	asked               time.Time
	successor           string
}

// unleash interrupts one instance of each of o.Notices groups, spread over o.Within, and follows what becomes of them.
func unleash(ctx context.Context, a *app.App, o options) (*storm, error) {
	own, world, err := databases(o)
	if err != nil {
		return nil, err
	}
	defer own.db.Close()
	defer world.db.Close()
	victims, err := victims(ctx, own, o.Notices)
	if err != nil {
		return nil, err
	}
	before := used()
	began := time.Now()
	if err := interrupt(ctx, a, world, victims, o.Within); err != nil {
		return nil, err
	}
	s := &storm{Notices: len(victims)}
	if err := calm(ctx, own); err != nil {
		return s, err
	}
	// Boots and checks take up to eight seconds.
	if err := wait(ctx, 10*time.Second); err != nil {
		return s, err
	}
	s.CPU = used() - before
	if s.Replaced, err = follow(ctx, own, victims); err != nil {
		return s, err
	}
	return s, s.judge(ctx, a, world, victims, began)
}

// calm waits until no launch has been asked for in ten seconds. It only counts: this process's work is what is measured.
func calm(ctx context.Context, own tables) error {
	const quiet = 10
	asked, since := -1, 0
	_, err := until(ctx, 4*time.Minute, func() (bool, error) {
		if err := wait(ctx, time.Second); err != nil {
			return false, err
		}
		var now int
		if err := own.db.QueryRowContext(ctx, "SELECT count(*) FROM actions").Scan(&now); err != nil {
			return false, err
		}
		if since++; now != asked {
			asked, since = now, 0
		}
		return since >= quiet, nil
	})
	return err
}

// victims picks the oldest spot instance of each of count groups, place by place in turn.
func victims(ctx context.Context, own tables, count int) ([]*lost, error) {
	rows, err := own.db.QueryContext(ctx, "SELECT id, account, parent, doc FROM instances WHERE state = 'running'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	taken := map[string]bool{}
	places := map[string][]*lost{}
	for rows.Next() {
		var id, account, parent string
		var text []byte
		if err := rows.Scan(&id, &account, &parent, &text); err != nil {
			return nil, err
		}
		var doc struct {
			Lifecycle string `json:"lifecycle"`
			Market    struct{ Region, Lifecycle string }
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			return nil, err
		}
		if taken[parent] || doc.Market.Lifecycle != "spot" {
			continue
		}
		taken[parent] = true
		key := account + doc.Market.Region
		places[key] = append(places[key], &lost{id: id, account: account, region: doc.Market.Region})
	}
	var all []*lost
	for n := 0; len(all) < count; n++ {
		more := false
		for _, some := range places {
			if n < len(some) && len(all) < count {
				all, more = append(all, some[n]), true
			}
		}
		if !more {
			break
		}
	}
	return all, rows.Err()
}

// interrupt spreads the interruptions evenly, four batches a second.
func interrupt(ctx context.Context, a *app.App, world tables, victims []*lost, within time.Duration) error {
	const pause = 250 * time.Millisecond
	steps := max(1, int(within/pause))
	tick := time.NewTicker(pause)
	defer tick.Stop()
	began := time.Now()
	for done := 0; done < len(victims); {
		due := min(len(victims), int(math.Ceil(float64(len(victims))*(float64(time.Since(began)/pause)+1)/float64(steps))))
		batch := map[[2]string][]string{}
		for _, v := range victims[done:due] {
			batch[[2]string{v.account, v.region}] = append(batch[[2]string{v.account, v.region}], v.id)
		}
		for place, ids := range batch {
			if err := a.Cloud.Account(place[0]).Interrupt(ctx, place[1], ids); err != nil {
				return fmt.Errorf("interrupt %d instances in %s: %w", len(ids), place[1], err)
			}
		}
		if err := available(ctx, world, victims[done:due]); err != nil {
			return err
		}
		done = due
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// available reads when the notices can be read by Neap. Those that it has acknowledged already came at once.
func available(ctx context.Context, world tables, victims []*lost) error {
	if len(victims) == 0 {
		return nil
	}
	byID := map[string]*lost{}
	var ids []string
	for _, v := range victims {
		byID[v.id], ids = v, append(ids, "'"+v.id+"'")
	}
	rows, err := world.db.QueryContext(ctx, "SELECT instance, min(visible_at) FROM notice WHERE kind = 'interruption' AND instance IN ("+strings.Join(ids, ", ")+") GROUP BY instance")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var visible int64
		if err := rows.Scan(&id, &visible); err != nil {
			return err
		}
		byID[id].notice = time.UnixMilli(visible)
	}
	return rows.Err()
}

// follow finds out which replacements have been asked for, and which victims have a successor.
func follow(ctx context.Context, own tables, victims []*lost) (replaced int, err error) {
	byID := map[string]*lost{}
	for _, v := range victims {
		byID[v.id] = v
	}
	if err := eachDoc(ctx, own, "SELECT doc FROM actions", func(text []byte) error {
		var doc struct {
			Launch   *struct{}
			Replaces []string
			Created  time.Time
		}
		if err := json.Unmarshal(text, &doc); err != nil || doc.Launch == nil {
			return err
		}
		for _, id := range doc.Replaces {
			if v := byID[id]; v != nil && (v.asked.IsZero() || doc.Created.Before(v.asked)) {
				v.asked = doc.Created
			}
		}
		return nil
	}); err != nil {
		return 0, err
	}
	err = eachDoc(ctx, own, "SELECT doc FROM instances WHERE state <> 'running' OR updated > created", func(text []byte) error {
		var doc struct {
			ID         string `json:"id"`
			ReplacedBy string `json:"replacedBy"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			return err
		}
		if v := byID[doc.ID]; v != nil {
			v.successor = doc.ReplacedBy
		}
		return nil
	})
	for _, v := range victims {
		if v.successor != "" {
			replaced++
		}
	}
	return replaced, err
}

func eachDoc(ctx context.Context, t tables, query string, take func([]byte) error) error {
	rows, err := t.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := take(text); err != nil {
			return err
		}
	}
	return rows.Err()
}

// judge reads the cloud's own record.
func (s *storm) judge(ctx context.Context, a *app.App, world tables, victims []*lost, began time.Time) error {
	type times struct{ launched, ok, notice int64 }
	seen := map[string]times{}
	rows, err := world.db.QueryContext(ctx, "SELECT id, launched_at, ok_at, notice_at FROM instance")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var t times
		if err := rows.Scan(&id, &t.launched, &t.ok, &t.notice); err != nil {
			return err
		}
		seen[id] = t
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var waits []time.Duration
	first, last, bound := int64(math.MaxInt64), int64(0), int64(0)
	buckets := map[string][]*lost{}
	for _, v := range victims {
		if v.notice.IsZero() {
			v.notice = time.UnixMilli(seen[v.id].notice)
		}
		first = min(first, v.notice.UnixMilli())
		wait := time.Duration(math.MaxInt64)
		if !v.asked.IsZero() {
			wait = v.asked.Sub(v.notice)
		}
		waits = append(waits, wait)
		last = max(last, seen[v.successor].ok)
		buckets[v.account+v.region] = append(buckets[v.account+v.region], v)
	}
	for _, some := range buckets {
		bound = max(bound, earliest(some, func(v *lost) int64 { return seen[v.successor].ok - seen[v.successor].launched }))
	}
	slices.Sort(waits)
	s.Median, s.P99, s.Worst = waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1]
	s.Healthy, s.LowerBound = time.Duration(last-first)*time.Millisecond, time.Duration(bound-first)*time.Millisecond
	if path := os.Getenv("NEAP_SIZE_DETAIL"); path != "" {
		var lines []string
		for _, v := range victims {
			lines = append(lines, fmt.Sprintf("%d asked %d launched %d", v.notice.Sub(began).Milliseconds(), v.asked.Sub(v.notice).Milliseconds(), seen[v.successor].launched-v.notice.UnixMilli()))
		}
		return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600)
	}
	return nil
}

// earliest is when the last of a place's replacements could be healthy, if each were asked for at its notice and only the request bucket held it up. boot is
// how long each really took from its launch to its first good check.
func earliest(some []*lost, boot func(*lost) int64) (bound int64) {
	rate := sim.Usual().Rates[sim.LaunchCall]
	slices.SortFunc(some, func(a, b *lost) int { return a.notice.Compare(b.notice) })
	left, at := rate.Burst, some[0].notice.UnixMilli()
	for _, v := range some {
		now := max(at, v.notice.UnixMilli())
		left = min(rate.Burst, left+rate.PerSecond*float64(now-at)/1000)
		if left < 1 {
			pause := int64(math.Ceil((1 - left) / rate.PerSecond * 1000))
			now, left = now+pause, 1
		}
		left--
		at = now
		bound = max(bound, now+boot(v))
	}
	return bound
}
