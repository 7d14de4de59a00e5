package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestAManualClockWakesWhoeverIsDueAndNobodyElse(t *testing.T) {
	c := clock.NewManual(noon)
	soon, later, past := c.After(time.Minute), c.After(time.Hour), c.After(-time.Second)
	select {
	case <-past:
	default:
		t.Error("a moment in the past is not delivered at once")
	}
	c.Advance(30 * time.Second)
	select {
	case <-soon:
		t.Error("woken early")
	default:
	}
	c.Advance(30 * time.Second)
	select {
	case at := <-soon:
		if !at.Equal(noon.Add(time.Minute)) {
			t.Errorf("woken at %s", at)
		}
	default:
		t.Error("not woken when due")
	}
	select {
	case <-later:
		t.Error("woken an hour early")
	default:
	}
}

func TestAScaledClockRunsAsFastAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Scaled{Began: time.Now(), Origin: noon, Rate: 60}
		woken := c.After(time.Minute)
		began := time.Now()
		<-woken
		if took := time.Since(began); took != time.Second {
			t.Errorf("a minute took %s at rate 60", took)
		}
		if now := c.Now(); !now.Equal(noon.Add(time.Minute)) {
			t.Errorf("the clock shows %s", now)
		}
	})
}

func TestTheWallIsInUTC(t *testing.T) {
	if zone := (clock.Wall{}).Now().Location(); zone != time.UTC {
		t.Errorf("the wall is in %s", zone)
	}
}
