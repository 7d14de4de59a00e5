package cloudtest

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/cloud"
)

func (s *suite) interrupts() {
	interrupter, notifier := ability[cloud.Interrupter](s), ability[cloud.Notifier](s)
	ids := idsOf(s.start(s.Market, 2))
	s.eventuallyIn(ids[0], cloud.Running)
	if err := interrupter.Interrupt(s.Context(), s.region, ids[:1]); err != nil {
		s.Fatalf("Interrupt: %v", err)
	}
	announced := s.Now()
	var notice cloud.Notice
	s.eventually("a notice comes", func() bool {
		found := s.noticesOf(notifier, ids[0])
		if len(found) > 0 {
			notice = found[0]
		}
		return len(found) > 0
	})
	if notice.IssuedAt.After(s.Now()) || notice.Deadline.Sub(notice.IssuedAt) != s.Provider.Info().Notice {
		s.Errorf("announced %+v, want a deadline %v after its issue", notice, s.Provider.Info().Notice)
	}
	if again := s.noticesOf(notifier, ids[0]); !slices.ContainsFunc(again, func(n cloud.Notice) bool { return n.ID == notice.ID }) {
		s.Error("the notice is not repeated although nobody acknowledged it")
	}
	s.acknowledgeAll(notifier, ids[0], notice)
	ended := s.eventuallyIn(ids[0], cloud.Terminated)
	if ended.Ended != cloud.EndedByInterruption || ended.EndedAt.Before(announced.Add(s.Provider.Info().Notice-time.Second)) {
		s.Errorf("ended by %q at %v, announced at %v", ended.Ended, ended.EndedAt, announced)
	}
	if other, ok := s.one(ids[1]); !ok || other.State != cloud.Running {
		s.Errorf("the other instance is %+v", other)
	}
}

// noticesOf are the interruption notices about one instance.
func (s *suite) noticesOf(notifier cloud.Notifier, id string) []cloud.Notice {
	s.Helper()
	notices, err := notifier.Notices(s.Context(), s.region)
	if err != nil {
		s.Fatalf("Notices: %v", err)
	}
	return slices.DeleteFunc(notices, func(n cloud.Notice) bool { return n.Instance != id || n.Kind != cloud.Interruption })
}

// acknowledgeAll acknowledges until the cloud is quiet; a repeated notice tells the same end.
func (s *suite) acknowledgeAll(notifier cloud.Notifier, id string, first cloud.Notice) {
	s.Helper()
	for quiet := 0; quiet < 60; quiet++ {
		for _, n := range s.noticesOf(notifier, id) {
			if !n.Deadline.Equal(first.Deadline) || !n.IssuedAt.Equal(first.IssuedAt) {
				s.Errorf("repeated as %+v, first %+v", n, first)
			}
			if err := notifier.Acknowledge(s.Context(), s.region, []string{n.ID, "no such notice"}); err != nil {
				s.Fatalf("Acknowledge: %v", err)
			}
			for _, left := range s.noticesOf(notifier, id) {
				if left.ID == n.ID {
					s.Error("the notice comes again after its acknowledgement")
				}
			}
		}
		s.Advance(time.Second)
	}
}

func (s *suite) refusesInterruptions() {
	interrupter := ability[cloud.Interrupter](s)
	onDemand := idsOf(s.start(s.onDemand(), 1))
	s.refused("an on-demand instance", interrupter.Interrupt(s.Context(), s.region, onDemand), cloud.BadRequest)
	s.refused("an unknown instance", interrupter.Interrupt(s.Context(), s.region, []string{"i-00000000000000000"}), cloud.Unknown)
	ended := idsOf(s.start(s.Market, 1))
	if err := s.Provider.Terminate(s.Context(), s.region, ended); err != nil {
		s.Fatalf("Terminate: %v", err)
	}
	s.eventuallyIn(ended[0], cloud.Terminated)
	s.refused("an ended instance", interrupter.Interrupt(s.Context(), s.region, ended), cloud.BadRequest)
}

func (s *suite) prices() {
	prices, err := ability[cloud.Pricer](s).Prices(s.Context(), s.region)
	if err != nil {
		s.Fatalf("Prices: %v", err)
	}
	seen := map[cloud.Market]bool{}
	for _, p := range prices {
		if seen[p.Market] || p.Price <= 0 || p.From.After(s.Now()) || p.Market.Region != s.region {
			s.Fatalf("price %+v is told twice, is not positive, lies in the future or elsewhere", p)
		}
		seen[p.Market] = true
	}
	if !seen[s.Market] {
		s.Errorf("%d prices, none for %+v", len(prices), s.Market)
	}
}

func (s *suite) tags() {
	tagger := ability[cloud.Tagger](s)
	id := s.start(s.Market, 1)[0].ID
	s.settle()
	added := `a "quoted" value of ` + s.mark
	change := map[string]string{"cloudtest": "changed", "cloudtest:launch": "", "added": added}
	if err := tagger.Tag(s.Context(), s.region, []string{id}, change); err != nil {
		s.Fatalf("Tag: %v", err)
	}
	s.settle()
	found := s.describe(cloud.Query{Tags: map[string]string{"added": added}})
	if len(found) != 1 || found[0].ID != id || found[0].Tags["cloudtest"] != "changed" {
		s.Fatalf("by the new tags: %+v", found)
	}
	if _, kept := found[0].Tags["cloudtest:launch"]; kept {
		s.Error("the emptied tag is still there")
	}
	if found := s.describe(cloud.Query{Tags: map[string]string{"cloudtest": s.mark}}); len(found) != 0 {
		s.Errorf("still found by the old tag: %+v", found)
	}
	s.refused("an unknown instance", tagger.Tag(s.Context(), s.region, []string{"i-00000000000000000"}, change), cloud.Unknown)
}

func (s *suite) powers() {
	powerer := ability[cloud.Powerer](s)
	ids := idsOf(s.start(s.onDemand(), 1))
	s.eventuallyIn(ids[0], cloud.Running)
	for _, step := range []struct {
		what string
		call func() error
		then cloud.State
	}{
		{"Stop", func() error { return powerer.Stop(s.Context(), s.region, ids, false) }, cloud.Stopped},
		{"Stop again", func() error { return powerer.Stop(s.Context(), s.region, ids, false) }, cloud.Stopped},
		{"Start", func() error { return powerer.Start(s.Context(), s.region, ids) }, cloud.Running},
		{"Start again", func() error { return powerer.Start(s.Context(), s.region, ids) }, cloud.Running},
		{"Reboot", func() error { return powerer.Reboot(s.Context(), s.region, ids) }, cloud.Running},
	} {
		s.settle()
		if err := step.call(); err != nil {
			s.Fatalf("%s: %v", step.what, err)
		}
		s.settle()
		if i := s.eventuallyIn(ids[0], step.then); !i.EndedAt.IsZero() {
			s.Errorf("%s: it ended at %v", step.what, i.EndedAt)
		}
	}
	err := powerer.Stop(s.Context(), s.region, []string{"i-00000000000000000"}, false)
	s.refused("an unknown instance", err, cloud.Unknown)
}

func (s *suite) consoles() {
	consoler := ability[cloud.Consoler](s)
	id := idsOf(s.start(s.Market, 1))[0]
	s.eventuallyIn(id, cloud.Running)
	read := func() (text string) {
		s.eventually("the console shows something", func() bool {
			var err error
			if text, _, err = consoler.ConsoleOutput(s.Context(), s.region, id); err != nil {
				s.Fatalf("ConsoleOutput: %v", err)
			}
			return text != ""
		})
		return text
	}
	first := read()
	if !utf8.ValidString(first) || !strings.Contains(first, "\n") {
		s.Errorf("the console shows no lines of text: %.200q", first)
	}
	if err := s.Provider.Terminate(s.Context(), s.region, []string{id}); err != nil {
		s.Fatalf("Terminate: %v", err)
	}
	s.eventuallyIn(id, cloud.Terminated)
	if last := read(); !strings.HasPrefix(last, first) {
		s.Errorf("after the end it shows %.200q, and before %.200q", last, first)
	}
	_, _, err := consoler.ConsoleOutput(s.Context(), s.region, "i-00000000000000000")
	s.refused("the console of an unknown instance", err, cloud.Unknown)
}
