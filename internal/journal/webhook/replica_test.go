package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func TestTwoReplicasDeliverEveryLetterOnceAndGoOnWithoutEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		now := clock.NewManual(dusk)
		one, two := newDesk(t, at.Open(t), now), newDesk(t, at.Open(t), now)
		r := newReceiver(t, now)
		one.hook("act-1", r.URL, "*")
		want := ""
		burst := func(d *desk, from, to int) {
			for n := from; n < to; n++ {
				d.tell("act-1", fmt.Sprint("e", n))
				want += fmt.Sprintf("e%d ", n)
			}
		}
		burst(one, 0, 60)
		until(t, "the first part is told", func() bool { return len(strings.Fields(r.types())) == 60 })
		stop, cancel := context.WithTimeout(context.Background(), workflowtest.Patience)
		defer cancel()
		must(t, one.engine.Stop(stop))
		burst(two, 60, 120)
		until(t, "the rest is told", func() bool { return len(strings.Fields(r.types())) == 120 })
		check(t, "order, each once", r.types(), want)
	})
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	at := storetest.SQLite(t)
	now := clock.NewManual(dusk)
	first := newDesk(t, at.Open(t), now)
	r := newReceiver(t, now)
	first.hook("act-1", r.URL, "*")
	first.tell("act-1", "one")
	r.gets("one ")
	stop, cancel := context.WithTimeout(context.Background(), workflowtest.Patience)
	defer cancel()
	must(t, first.engine.Stop(stop))
	first.tell("act-1", "two", "three") // while nobody delivers
	newDesk(t, at.Open(t), now)
	r.gets("one two three ")
}

func TestASignatureIsRightForItsSecretBodyAndTimeOnly(t *testing.T) {
	at, body, secret := time.Unix(1_800_000_000, 0), []byte(`{"a":1}`), []byte(canary)
	header := Sign(secret, at, body)
	for name, c := range map[string]struct {
		secret, header, body string
		now                  time.Time
		fine                 bool
	}{
		"right":            {canary, header, `{"a":1}`, at, true},
		"a minute later":   {canary, header, `{"a":1}`, at.Add(time.Minute), true},
		"with an older v1": {canary, header + ",v1=00", `{"a":1}`, at, true},
		"an hour later":    {canary, header, `{"a":1}`, at.Add(time.Hour), false},
		"another body":     {canary, header, `{"a":2}`, at, false},
		"another secret":   {"x", header, `{"a":1}`, at, false},
		"another time":     {canary, strings.Replace(header, "t=18", "t=19", 1), `{"a":1}`, at, false},
		"no signature":     {canary, "t=1800000000", `{"a":1}`, at, false},
		"nothing":          {canary, "", `{"a":1}`, at, false},
	} {
		if err := Verify([]byte(c.secret), c.header, []byte(c.body), c.now, 5*time.Minute); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
