package intake

import (
	"testing"
	"time"
)

func TestAKeyIsRememberedForAWhileUnlessThereAreTooMany(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	l := Lately[string]{For: time.Minute, Most: 2}
	want := func(key string, at time.Time, has bool) {
		t.Helper()
		if l.Has(key, at) != has {
			t.Errorf("%q after %v: %t, want %t", key, at.Sub(now), !has, has)
		}
	}
	want("a", now, false)
	l.Put("a", now)
	want("a", now.Add(time.Minute-1), true)
	want("a", now.Add(time.Minute), false)
	l.Put("b", now)
	want("a", now, true)
	l.Put("c", now)
	want("a", now, false)
	want("c", now, true)
}
