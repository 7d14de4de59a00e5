package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
)

// ward is a health with everything that it watches, none of it running.
type ward struct {
	*health
	t   *testing.T
	now *clock.Manual
}

func newWard(t *testing.T) ward {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	a := &App{db: storetest.Memory(t), clock: now}
	var err error
	if a.Workflow, err = workflow.New(workflow.Config{DB: a.db, Clock: now, Replica: "r-1"}); err != nil {
		t.Fatal(err)
	}
	prices, err := market.New(market.Config{DB: a.db, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	return ward{newHealth(a, journal.New(journal.Config{DB: a.db, Clock: now}), prices), t, now}
}

func (w ward) in(work func(ctx context.Context, tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), work); err != nil {
		w.t.Fatal(err)
	}
}

// looked takes a look and lists what is open.
func (w ward) looked() string {
	w.t.Helper()
	if err := w.look(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	open, err := w.open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	text := ""
	for _, a := range open {
		text += fmt.Sprintf("%s(%s) ", a.Kind, a.Resource)
	}
	return text
}

func TestAnInstallationInGoodHealthHasNoAlerts(t *testing.T) {
	if got := newWard(t).looked(); got != "" {
		t.Error(got)
	}
}

func TestKeysThatWaitTooLongAreToldOfUntilTheyAreDone(t *testing.T) {
	w := newWard(t)
	w.in(func(ctx context.Context, tx *store.Tx) error { return w.workflow.Watch(ctx, tx, "groups", "sig-1") })
	if got := w.looked(); got != "" {
		t.Errorf("at once: %s", got)
	}
	w.mu.Lock()
	for key := range w.waiting {
		w.waiting[key] = time.Now().Add(-lateAfter - time.Second)
	}
	w.mu.Unlock()
	if got := w.looked(); got != "queueDepth(groups) " {
		t.Errorf("later: %s", got)
	}
	w.in(func(ctx context.Context, tx *store.Tx) error { return w.workflow.Forget(ctx, tx, "groups", "sig-1") })
	if got := w.looked(); got != "" {
		t.Errorf("when it is done: %s", got)
	}
}

func TestAFeedThatFallsSilentIsToldOfAtTheSecondLook(t *testing.T) {
	w := newWard(t)
	spot := cloud.Market{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}
	usual, err := money.ParsePrice("0.04")
	if err != nil {
		t.Fatal(err)
	}
	tell := func() {
		told := []cloud.Price{{Market: spot, Price: usual, From: w.now.Now()}}
		if err := w.market.Observe(t.Context(), "aws", told); err != nil {
			t.Fatal(err)
		}
	}
	tell()
	if got := w.looked() + w.looked(); got != "" {
		t.Errorf("fresh: %s", got)
	}
	w.now.Advance(25 * time.Hour)
	if got := w.looked(); got != "" {
		t.Errorf("the first look: %s", got)
	}
	if got := w.looked(); got != "stalePrices(aws/us-east-1) " {
		t.Errorf("the second look: %s", got)
	}
	tell()
	if got := w.looked(); got != "" {
		t.Errorf("when it speaks again: %s", got)
	}
}

func TestAPoisonedFeedIsToldOfInTheLogAndByAnEventWhenItBeginsAndWhenItEnds(t *testing.T) {
	w := newWard(t)
	var log strings.Builder
	w.journal = journal.New(journal.Config{DB: w.db, Clock: w.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	told := func(poisoned int, price money.Price) string {
		var list []cloud.Price
		for n, zone := range []string{"a", "b", "c", "d", "f"} {
			for _, typ := range []string{"m5.large", "c5.large"} {
				p := cloud.Price{Market: cloud.Market{Region: "us-east-1", Zone: "us-east-1" + zone, Type: typ, Product: "Linux/UNIX", Lifecycle: cloud.Spot}, Price: 40_000, From: w.now.Now()}
				if n < poisoned {
					p.Price = price
				}
				list = append(list, p)
			}
		}
		w.now.Advance(time.Minute)
		if err := w.market.Observe(t.Context(), "aws", list); err != nil {
			t.Fatal(err)
		}
		w.looked()
		return w.looked()
	}
	for _, step := range []struct {
		poisoned int
		price    money.Price
		open     string
	}{{0, 0, ""}, {1, 0, "oddPrices(aws/us-east-1) "}, {1, -7, "oddPrices(aws/us-east-1) "}, {5, 40_000_000, "stalePrices(aws/us-east-1) "}, {0, 0, ""}} {
		if got := told(step.poisoned, step.price); got != step.open {
			t.Errorf("%d zones tell %s: %q is open", step.poisoned, step.price, got)
		}
	}
	for _, kind := range []string{"oddPrices", "stalePrices"} {
		for _, state := range []string{"open", "closed"} {
			if n := strings.Count(log.String(), fmt.Sprintf("level=WARN msg=\"alert %s\" kind=%s", state, kind)); n != 1 {
				t.Errorf("%s %s is told %d times:\n%s", kind, state, n, log.String())
			}
		}
	}
	events, err := w.journal.Events(t.Context(), "", "aws/us-east-1", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := ""
	for _, e := range events {
		kinds += e.Type + " "
	}
	if kinds != "alert.oddPrices alert.oddPrices alert.stalePrices alert.stalePrices " {
		t.Errorf("events: %s", kinds)
	}
}

func TestADatabaseThatIsAwayIsToldOfFromMemoryAndWrittenDownWhenItIsBack(t *testing.T) {
	w := newWard(t)
	away := func(context.Context) error { return errors.New("no route") }
	for range 3 {
		w.ping(t.Context(), away)
		w.now.Advance(20 * time.Second)
	}
	open, err := w.open(t.Context())
	if err != nil || len(open) != 1 || open[0].Kind != journal.AlertStoreDown || w.now.Now().Sub(open[0].Opened) != time.Minute {
		t.Errorf("while it is away: %v, %v", open, err)
	}
	w.ping(t.Context(), w.db.Ping)
	open, err = w.open(t.Context())
	if err != nil || len(open) != 0 {
		t.Errorf("when it is back: %v, %v", open, err)
	}
	history, _, err := w.journal.AlertHistory(t.Context(), "", journal.AlertQuery{})
	if err != nil || len(history) != 1 || history[0].Message != "The database did not answer from 2026-11-02 09:00:00 to 2026-11-02 09:01:00." {
		t.Errorf("history: %v, %v", history, err)
	}
	w.ping(t.Context(), w.db.Ping)
	if again, _, err := w.journal.AlertHistory(t.Context(), "", journal.AlertQuery{}); err != nil || len(again) != 1 {
		t.Errorf("after another look: %v, %v", again, err)
	}
}

func TestMetricsNameEveryKindAndAtMostAHundredAlerts(t *testing.T) {
	w := newWard(t)
	w.in(func(ctx context.Context, tx *store.Tx) error {
		for n := range 130 {
			if err := w.journal.Alert(ctx, tx, "act-1", fmt.Sprintf("sig-%03d", n), journal.AlertHold, "Half is gone."); err != nil {
				return err
			}
		}
		return nil
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(&alertMetrics{w.health})
	series := func() map[string]int {
		found, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, family := range found {
			for _, m := range family.Metric {
				count[family.GetName()]++
				if family.GetName() == "neap_alerts" && m.GetGauge().GetValue() > 0 {
					count[m.Label[0].GetValue()] = int(m.GetGauge().GetValue())
				}
			}
		}
		return count
	}
	if got := series(); got["neap_alert"] != mostAlerts || got["hold"] != 130 || got["neap_alerts"] != len(journal.AlertKinds()) {
		t.Errorf("%v", got)
	}
	w.ping(t.Context(), func(context.Context) error { return errors.New("away") })
	if got := series(); got["neap_alert"] != 1 || got["storeDown"] != 1 {
		t.Errorf("without a database: %v", got)
	}
}

func TestAlertsThatAreLongOverAreForgotten(t *testing.T) {
	w := newWard(t)
	for range 3 {
		w.in(func(ctx context.Context, tx *store.Tx) error {
			if err := w.journal.Alert(ctx, tx, "act-1", "sig-1", journal.AlertHold, strings.Repeat("x", 10)); err != nil {
				return err
			}
			return w.journal.Calm(ctx, tx, "act-1", "sig-1", journal.AlertHold)
		})
		w.now.Advance(40 * 24 * time.Hour)
	}
	if err := w.forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _, err := w.journal.AlertHistory(t.Context(), "act-1", journal.AlertQuery{}); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
