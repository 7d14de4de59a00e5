package app

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/dial"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/journal/webhook"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

const (
	healthEvery  = 5 * time.Second
	lateAfter    = 30 * time.Second // a change that no turn has seen to the end by then is late
	sealedWithin = 5 * time.Second
	mostLate     = 5000 // late keys that are counted one by one
	pingEvery    = 2 * time.Second
	alertsKept   = 90 * 24 * time.Hour // after their end
)

// health watches what is nobody's own: queues, the sealer, price feeds and the database. One replica looks at the first three; each watches the database itself.
type health struct {
	db       *store.DB
	journal  *journal.Journal
	workflow *workflow.Engine
	market   *market.Market
	now      func() time.Time // the engine's

	mu      sync.Mutex
	waiting map[workflow.Waiting]time.Time // since when, by this replica's own count
	silent  map[string]string              // feeds that were silent at the last look
	down    time.Time                      // since when the database does not answer; zero when it does
	halt    chan struct{}
	halted  sync.Once
	ended   sync.WaitGroup
}

func newHealth(a *App, diary *journal.Journal, prices *market.Market) *health {
	h := &health{db: a.db, journal: diary, workflow: a.Workflow, market: prices, now: func() time.Time { return a.clock.Now() }, halt: make(chan struct{})}
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "alerts.health", Every: healthEvery, Do: h.look})
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "alerts.forget", Every: time.Hour, Do: h.forget})
	return h
}

// finding is what a look found out about one kind of alert: the resources it is about, with a sentence each.
type finding struct {
	kind   journal.AlertKind
	alerts map[string]string
}

// look raises and calms the alerts of the installation.
func (h *health) look(ctx context.Context) error {
	late, err := h.late(ctx, time.Now())
	if err != nil {
		return err
	}
	lag, err := h.journal.SealerLag(ctx)
	if err != nil {
		return err
	}
	silent, err := h.market.Silent(ctx)
	if err != nil {
		return err
	}
	odd, err := h.market.Odd(ctx)
	if err != nil {
		return err
	}
	findings := []finding{
		{journal.AlertQueueDepth, late},
		{journal.AlertSealerLag, map[string]string{}},
		{journal.AlertStalePrices, h.again(silent)},
		{journal.AlertOddPrices, odd},
	}
	if lag > sealedWithin {
		findings[1].alerts[""] = fmt.Sprintf("Events wait %s for their final order, so streams and webhooks are late.", lag.Round(time.Second))
	}
	return h.apply(ctx, findings)
}

// again leaves the feeds that were silent the last time too: after a long pause of Neap itself all are, for a moment.
func (h *health) again(silent map[string]string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.silent
	h.silent = maps.Clone(silent)
	maps.DeleteFunc(silent, func(feed, _ string) bool { _, was := before[feed]; return !was })
	return silent
}

// late finds changes that wait for too long, loop by loop. The clock of each starts when this replica first sees it waiting.
func (h *health) late(ctx context.Context, now time.Time) (map[string]string, error) {
	backlog, err := h.workflow.Backlog(ctx, mostLate)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting := make(map[workflow.Waiting]time.Time, len(backlog))
	count, longest := map[string]int{}, map[string]time.Duration{}
	for _, w := range backlog {
		since, known := h.waiting[w]
		if !known {
			since = now
		}
		waiting[w] = since
		if age := now.Sub(since); age > lateAfter {
			count[w.Loop]++
			longest[w.Loop] = max(longest[w.Loop], age)
		}
	}
	h.waiting = waiting
	found := map[string]string{}
	for loop, n := range count {
		found[loop] = fmt.Sprintf("%d keys of the loop %s have waited for their turn for more than %s, the longest for %s.", n, loop, lateAfter, longest[loop].Round(time.Second))
	}
	return found, nil
}

// apply brings the stored alerts in line with what was found; nothing is written when they are.
func (h *health) apply(ctx context.Context, findings []finding) error {
	open, err := h.journal.Alerts(ctx, "")
	if err != nil {
		return err
	}
	if !differs(findings, open) {
		return nil
	}
	return h.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, f := range findings {
			for resource, message := range f.alerts {
				if err := h.journal.Alert(ctx, tx, "", resource, f.kind, message); err != nil {
					return err
				}
			}
			for _, a := range open {
				if _, still := f.alerts[a.Resource]; a.Kind == f.kind && a.Account == "" && !still {
					if err := h.journal.Calm(ctx, tx, "", a.Resource, a.Kind); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// differs reports whether there is anything to raise or to calm.
func differs(findings []finding, open []journal.Alert) bool {
	for _, f := range findings {
		known := 0
		for _, a := range open {
			if a.Kind != f.kind || a.Account != "" {
				continue
			}
			if f.alerts[a.Resource] != a.Message {
				return true
			}
			known++
		}
		if known != len(f.alerts) {
			return true
		}
	}
	return false
}

// forget drops alerts that have been over for long.
func (h *health) forget(ctx context.Context) error {
	for forgotten := 1; forgotten > 0; {
		err := h.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			forgotten, err = h.journal.ForgetAlerts(ctx, tx, h.now().Add(-alertsKept), 500)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// start watches the database until stop.
func (h *health) start() {
	h.ended.Go(func() {
		ticker := time.NewTicker(pingEvery)
		defer ticker.Stop()
		for {
			select {
			case <-h.halt:
				return
			case <-ticker.C:
				ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
				h.ping(ctx, h.db.Ping)
				cancel()
			}
		}
	})
}

func (h *health) stop() {
	h.halted.Do(func() { close(h.halt) })
	h.ended.Wait()
}

// ping notes whether the database answers. What happened while it did not is written down as soon as it does again.
func (h *health) ping(ctx context.Context, ask func(context.Context) error) {
	err := ask(ctx)
	h.mu.Lock()
	down := h.down
	if err != nil && down.IsZero() {
		h.down = h.now()
	}
	h.mu.Unlock()
	if err != nil || down.IsZero() {
		return
	}
	message := fmt.Sprintf("The database did not answer from %s to %s.", down.Format(time.DateTime), h.now().Format(time.DateTime))
	err = h.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := h.journal.Alert(ctx, tx, "", "", journal.AlertStoreDown, message); err != nil {
			return err
		}
		return h.journal.Calm(ctx, tx, "", "", journal.AlertStoreDown)
	})
	if err != nil {
		return // it is not back yet, or not for writing
	}
	h.mu.Lock()
	h.down = time.Time{}
	h.mu.Unlock()
}

// open lists all open alerts, as far as the database answers, and that it does not.
func (h *health) open(ctx context.Context) ([]journal.Alert, error) {
	h.mu.Lock()
	down := h.down
	h.mu.Unlock()
	if !down.IsZero() {
		return []journal.Alert{{Kind: journal.AlertStoreDown, Message: "The database does not answer.", Opened: down}}, nil
	}
	return h.journal.Alerts(ctx, "")
}

// mostAlerts bounds the alerts that /metrics names one by one.
const mostAlerts = 100

// alertMetrics shows the open alerts when it is asked: how many of each kind, and the oldest ones by resource.
type alertMetrics struct{ health *health }

func (m *alertMetrics) descriptions() (one, count *prometheus.Desc) {
	return prometheus.NewDesc("neap_alert", "Open alerts, the oldest 100 of them: 1 each.", []string{"kind", "account", "resource"}, nil),
		prometheus.NewDesc("neap_alerts", "Open alerts of a kind.", []string{"kind"}, nil)
}

// Describe is prometheus.Collector's.
func (m *alertMetrics) Describe(out chan<- *prometheus.Desc) {
	one, count := m.descriptions()
	out <- one
	out <- count
}

// Collect is prometheus.Collector's.
func (m *alertMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	one, count := m.descriptions()
	open, err := m.health.open(ctx)
	if err != nil {
		// The database went away this moment, which is an alert itself.
		open = []journal.Alert{{Kind: journal.AlertStoreDown}}
	}
	counts := map[journal.AlertKind]int{}
	for n, a := range open {
		counts[a.Kind]++
		if n < mostAlerts {
			out <- prometheus.MustNewConstMetric(one, prometheus.GaugeValue, 1, string(a.Kind), a.Account, strings.ToValidUTF8(a.Resource, "?"))
		}
	}
	for _, kind := range journal.AlertKinds() { // a kind without alerts shows 0, so that rules on it work from the start
		out <- prometheus.MustNewConstMetric(count, prometheus.GaugeValue, float64(counts[kind.Kind]), string(kind.Kind))
	}
}

// tell wires what tells people and programs: alerts and webhooks.
func (a *App) tell(diary *journal.Journal, prices *market.Market) *webhook.Webhooks {
	a.health = newHealth(a, diary, prices)
	return webhook.New(webhook.Config{
		DB: a.db, Journal: diary, Workflow: a.Workflow, Clock: a.clock, Secrets: a.Identity, Guard: dial.New(dial.Config{Allow: a.config.AllowOutbound}), Log: a.config.Log,
	})
}
