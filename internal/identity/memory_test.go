package identity

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAnswerIsRememberedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory[string, int]()
		_, found, epoch := m.get("a")
		check(t, "found before", found, false)
		m.put("a", 1, epoch)
		time.Sleep(remembered - time.Millisecond)
		value, found, _ := m.get("a")
		check(t, "found in time", found, true)
		check(t, "value", value, 1)
		time.Sleep(time.Millisecond)
		_, found, _ = m.get("a")
		check(t, "found later", found, false)
	})
}

func TestWhatWasReadBeforeForgettingIsNotRememberedAfterIt(t *testing.T) {
	m := newMemory[string, int]()
	_, _, epoch := m.get("a")
	m.forget()
	m.put("a", 1, epoch)
	_, found, _ := m.get("a")
	check(t, "found", found, false)
}

func TestAMemoryIsBounded(t *testing.T) {
	m := newMemory[int, int]()
	for k := range 3 * mostAnswers {
		m.put(k, k, 0)
	}
	if len(m.answers) > mostAnswers {
		t.Errorf("%d answers are kept", len(m.answers))
	}
}
